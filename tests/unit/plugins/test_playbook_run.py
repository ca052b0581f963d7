"""A real run of ansible-playbook: the stack's role, with a secret planted, and its evidence."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from ansible_collections.drydock.ops.plugins.callback.evidence import redact
from moto.server import ThreadedMotoServer

PROJECT = Path(__file__).resolve().parents[3]
SECRET = "hunter2-planted"
# terraform_data is part of Terraform itself, so no provider has to be there.
STACK = """
terraform {
  backend "s3" {}
}
variable "environment" {}
variable "account_id" {}
variable "note" {}
variable "password" {
  sensitive = true
}
resource "terraform_data" "account" {
  input = { note = var.note, password = var.password }
}
output "password" {
  value     = var.password
  sensitive = true
}
"""
PLAYBOOK = """
- name: Provision
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Provision the stack
      ansible.builtin.include_role:
        name: terraform_stack
      vars:
        terraform_stack_operation: apply
        terraform_stack_name: example
        terraform_stack_environment: dev
        terraform_stack_project_path: "{folder}/stack"
        terraform_stack_data_dir: "{folder}/data"
        terraform_stack_cli_config: ""
        terraform_stack_backend_config:
          {{bucket: states, key: dev/example.tfstate, region: us-east-1}}
        terraform_stack_variables:
          environment: dev
          account_id: "{{{{ account_id }}}}"
          note: "{{{{ note }}}}"
          password: "{{{{ planted }}}}"

    - name: Say nothing of this
      ansible.builtin.debug:
        msg: "password={{{{ planted }}}}"
      changed_when: true
      no_log: true

    - name: Fail when asked
      ansible.builtin.fail:
        msg: "the password: {{{{ planted }}}} was wrong"
      when: trip | default(false) | bool
"""

pytestmark = pytest.mark.skipif(not shutil.which("terraform"), reason="terraform is not on PATH")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the stack and the playbook lie; the states and the account are an API's beside it."""
    folder = tmp_path_factory.mktemp("run")
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    (folder / "endpoint").write_text(f"http://{host}:{port}")
    states(folder).create_bucket(Bucket="states")
    (folder / "stack").mkdir()
    (folder / "stack/main.tf").write_text(STACK)
    (folder / "play.yml").write_text(PLAYBOOK.format(folder=folder))
    (folder / "secret.json").write_text(
        json.dumps(
            {
                "planted": SECRET,
                "environment_name": "dev",
                "account_id": "123456789012",  # moto's
                "project_dir": str(PROJECT),
                "drydock_home": str(folder / "home"),
                "terraform_work_dir": str(folder / "data"),
                "stack_outputs": {"foundation": {"security_group_ids": {}}},
                "allow_http": False,
                "aws_region": "us-east-1",
                "lock_lease_minutes": 120,
                "ansible_connection": "local",
                "ansible_python_interpreter": sys.executable,
            }
        )
    )
    yield folder
    server.stop()


def states(folder: Path) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=(folder / "endpoint").read_text(),
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def state(folder: Path) -> bytes:
    return states(folder).get_object(Bucket="states", Key="dev/example.tfstate")["Body"].read()


def run(folder: Path, note: str, *words: str) -> tuple[str, dict[str, Any]]:
    """Run the playbook as talkative as it gets. Returns (output, evidence record)."""
    done = subprocess.run(
        [
            Path(sys.executable).with_name("ansible-playbook"),
            "-i",
            "localhost,",
            *("-e", f"@{folder}/secret.json", "-e", f"note={note}"),
            "-vvv",
            "--diff",
            *words,
            folder / "play.yml",
        ],
        cwd=PROJECT,
        env={
            **os.environ,
            "DRYDOCK_HOME": str(folder / "home"),
            "ANSIBLE_HOME": str(folder / "ansible"),
            "ANSIBLE_INVENTORY_ENABLED": "host_list",
            "AWS_ENDPOINT_URL": (folder / "endpoint").read_text(),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "TF_LOG": "TRACE",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    output = done.stdout + done.stderr
    records = sorted((folder / "home/evidence/dev").glob("*.json"), key=os.path.getmtime)
    assert records, output
    assert stat.S_IMODE(records[-1].stat().st_mode) == 0o600
    return output, json.loads(records[-1].read_text())


def test_apply_change_nothing_and_failure(folder: Path) -> None:
    output, record = run(folder, "one")
    assert "1 to add" in output, output[-6000:]
    assert SECRET not in output
    assert record["outcome"] == "ok", output[-5000:]
    assert record["environment"] == "dev"
    assert "Apply the plan" in [one["task"].split(" : ")[-1] for one in record["changes"]]
    assert any("1 to add" in one["text"] for one in record["notes"])
    assert SECRET not in json.dumps(record)
    assert list((folder / "data/plans").iterdir()) == []

    output, record = run(folder, "two", "--check")
    assert '"one" → "two"' in output
    assert "changed=" in output
    assert record["check_mode"] is True
    assert SECRET not in output
    assert b'"two"' not in state(folder)

    output, record = run(folder, "one", "-e", "trip=true")
    assert [one["task"] for one in record["changes"]] == ["Say nothing of this"]
    assert record["outcome"] == "failed"
    assert SECRET not in json.dumps(record)


@pytest.mark.parametrize(
    "text",
    [
        f"password={SECRET}",
        f'"Password": "{SECRET}"',
        f"postgres://app:{SECRET}@db:5432/x",
        f"SecretString: {SECRET}",
        f"aws_secret_access_key = {SECRET}",
        f"authorization: {SECRET}",
        f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str) -> None:
    assert SECRET not in redact(f"before {text} after")


def test_what_is_no_secret_stays() -> None:
    text = "Stack data of dev: its state is locked (lock 6b1f) by ann@ops1; tokens are fine"
    assert redact(text) == text
