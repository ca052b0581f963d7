"""Workflows as data, and an account with a state bucket in which a fake terraform plans."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from moto.server import ThreadedMotoServer

PROJECT = Path(__file__).resolve().parents[3]
GITHUB = PROJECT / ".github"
BUCKET = "drydock-local-tfstate-123456789012"
TABLE = "drydock-local-tflock"
Run = Callable[[str, Mapping[str, str]], tuple[int, str]]


def read(path: Path) -> dict[str, Any]:
    """Return a workflow or an action; its `on` is the key "on"."""
    data = yaml.safe_load(path.read_text())
    if True in data:  # YAML 1.1 takes on for a boolean
        data["on"] = data.pop(True)
    return data


WORKFLOWS = {path.stem: read(path) for path in sorted((GITHUB / "workflows").glob("*.yml"))}


def step(workflow: str, job: str, name: str) -> dict[str, Any]:
    """Return a step by its name."""
    return next(one for one in WORKFLOWS[workflow]["jobs"][job]["steps"] if one.get("name") == name)


def shell(script: str, folder: Path, variables: Mapping[str, str]) -> tuple[int, str]:
    """Run a step's script as GitHub does. Returns exit code and output."""
    done = subprocess.run(
        ["bash", "-e", "-c", script], cwd=folder, env={**os.environ, **variables}, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


@pytest.fixture(scope="session")
def account() -> Iterator[int]:
    """Return the port of an account in which some stacks are provisioned."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    settings: Any = {
        "endpoint_url": f"http://127.0.0.1:{port}", "region_name": "us-east-1",
        "aws_access_key_id": "test", "aws_secret_access_key": "test",
    }  # fmt: skip
    s3 = boto3.client("s3", **settings)
    s3.create_bucket(Bucket=BUCKET)
    told = {"kms_key_arn": {"value": "arn:aws:kms:us-east-1:123456789012:key/states"}}
    for stack in ("bootstrap", "identity", "foundation", "operations"):
        state = {"version": 4, "serial": 1, "lineage": stack, "resources": [{}], "outputs": told}
        s3.put_object(Bucket=BUCKET, Key=f"local/{stack}.tfstate", Body=json.dumps(state))
    boto3.client("dynamodb", **settings).create_table(
        TableName=TABLE, BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "LockID", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "LockID", "AttributeType": "S"}],
    )  # fmt: skip
    yield port
    server.stop()


@pytest.fixture
def plans(tmp_path: Path) -> Path:
    """Return the folder of the plans that terraform will make: <stack>.json."""
    folder = tmp_path / "fake"
    (folder / "bin").mkdir(parents=True)
    program = folder / "bin/terraform"
    program.write_text(
        f'#!/bin/sh\nexec {sys.executable} {Path(__file__).parent}/fake_terraform.py "$@"\n'
    )
    program.chmod(0o700)
    return folder


@pytest.fixture
def run(account: int, plans: Path, tmp_path: Path) -> Run:
    """Return a function that runs a step's script in that account, the venv already activated."""

    def play(script: str, variables: Mapping[str, str]) -> tuple[int, str]:
        script = script.replace(". .venv/bin/activate\n", "").replace("$PWD", str(tmp_path))
        code, said = shell(script, PROJECT, {
            "PATH": f"{plans / 'bin'}:{PROJECT / '.venv/bin'}:{os.environ['PATH']}",
            "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "false",
            "DRYDOCK_HOME": str(tmp_path / "home"), "DRYDOCK_PORT": str(account),
            "FAKE_PLANS": str(plans), "ENVIRONMENT": "local", **variables,
        })  # fmt: skip
        return code, " ".join(said.split())

    return play
