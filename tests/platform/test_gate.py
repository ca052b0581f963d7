"""The gate in the role: what is refused changes nothing, what is allowed is told."""

import json
import os
import socket
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from drydock import audit
from drydock.settings import PROJECT
from tests.site.site import evidence

STACK = """
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
  backend "s3" {}
}
variable "environment" {}
variable "account_id" {}
variable "days" {
  default = 7
}
variable "logs" {
  default = ["one"]
}
provider "aws" {
  region = "us-east-1"
  default_tags {
    tags = {
      Environment = var.environment
      Service     = "gate"
      Owner       = "tests"
      CostCenter  = "tests"
      ManagedBy   = "terraform"
    }
  }
}
resource "aws_cloudwatch_log_group" "this" {
  for_each          = toset(var.logs)
  name              = "/gate/${each.key}"
  retention_in_days = var.days
}
"""
BUCKET = "tests-gate-states"
TABLE = "tests-gate-locks"
LOCK = {"LockID": {"S": f"{BUCKET}/local/gate.tfstate"}}


@pytest.fixture(scope="module")
def stack(cloud, tmp_path_factory):
    """A stack of one log group, applied through the role."""
    folder = tmp_path_factory.mktemp("gate")
    (folder / "stack").mkdir()
    (folder / "stack/main.tf").write_text(STACK)
    (folder / "stack/.terraform.lock.hcl").write_bytes(
        (PROJECT / "terraform/stacks/data/.terraform.lock.hcl").read_bytes()
    )
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    cloud.client("dynamodb").create_table(
        TableName=TABLE, BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "LockID", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "LockID", "AttributeType": "S"}],
    )  # fmt: skip

    def run(step: str = "apply", *words: str, **variables: object) -> tuple[int, str, list[str]]:
        """Run the role; return exit code, output on one line, and what changed in the cloud."""
        path = cloud.settings.audit
        mark = audit.mark(path)
        given = {
            "gate_folder": str(folder), "gate_bucket": BUCKET, "gate_table": TABLE,
            "gate_step": step, "gate_variables": variables,
        }  # fmt: skip
        done = subprocess.run(
            [PROJECT / ".venv/bin/ansible-playbook", "-i", "inventories/local",
             "tests/gate/play.yml", "-e", json.dumps(given), *words],
            # Its playbook stands elsewhere than the project's, from which home would be found.
            cwd=PROJECT, env={**os.environ, "ANSIBLE_FORCE_COLOR": "false",
                              "DRYDOCK_HOME": str(cloud.settings.home)},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        changed = [
            row["action"]
            for row in audit.read(path, mark)
            if row["mutating"] and row["service"] == "logs"
        ]
        return done.returncode, " ".join((done.stdout + done.stderr).split()), changed

    code, said, changed = run()
    assert code == 0, said[-3000:]
    assert "CreateLogGroup" in changed
    yield run
    for group in cloud.client("logs").describe_log_groups(logGroupNamePrefix="/gate/")["logGroups"]:
        cloud.client("logs").delete_log_group(logGroupName=group["logGroupName"])
    for item in s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        s3.delete_object(Bucket=BUCKET, Key=item["Key"])
    s3.delete_bucket(Bucket=BUCKET)
    cloud.client("dynamodb").delete_table(TableName=TABLE)


def test_a_broken_policy_is_refused_and_nothing_is_changed(stack):
    for words in ((), ("--check",)):
        code, said, changed = stack("apply", *words, days=0)
        assert code != 0
        assert 'aws_cloudwatch_log_group.this["one"]: retention_in_days is not set' in said
        assert "DRYDOCK_RET_1" in said and "Set retention_in_days" in said
        assert changed == []


def test_data_is_taken_away_only_with_a_budget_and_a_reason(cloud, stack):
    code, said, changed = stack(logs=["two"])
    assert code != 0 and "would be destroyed (DRYDOCK_LOSS)" in said
    assert changed == []
    code, said, changed = stack("apply", "-e", "allow_destroy=1", logs=["two"])
    assert code != 0 and "allow_destroy_reason" in said
    assert changed == []
    reason = '{"allow_destroy": 1, "allow_destroy_reason": "agreed with the owner of the logs"}'
    code, said, changed = stack("apply", "-e", reason, logs=["two"])
    assert code == 0, said[-3000:]
    assert "DeleteLogGroup" in changed
    notes = [note["text"] for note in evidence(cloud.settings.home, "play")["notes"]]
    assert any("because agreed with the owner of the logs" in note for note in notes)
    assert any('this["one"]' in note for note in notes)


def _lock(cloud, host):
    """Locks the state as a terraform of a host would that is started after the run was."""
    info = {
        "ID": "11111111-2222-3333-4444-555555555555", "Operation": "OperationTypePlan", "Info": "",
        "Who": f"operator@{host}", "Version": "1.11.4", "Path": LOCK["LockID"]["S"],
        "Created": (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }  # fmt: skip
    item = {**LOCK, "Info": {"S": json.dumps(info)}}
    cloud.client("dynamodb").put_item(TableName=TABLE, Item=item)


def _locked(cloud):
    return "Item" in cloud.client("dynamodb").get_item(TableName=TABLE, Key=LOCK)


def test_a_plan_that_meets_its_own_lock_is_made_again(cloud, stack):
    """What a lost answer leaves: AWS took the lock, its client asked again and was refused."""
    _lock(cloud, socket.gethostname())
    code, said, changed = stack(days=30, logs=["two"])
    assert code == 0, said[-3000:]
    assert changed == ["PutRetentionPolicy"]
    assert not _locked(cloud)
    notes = [note["text"] for note in evidence(cloud.settings.home, "play")["notes"]]
    assert any("released the left-over state local/gate.tfstate" in note for note in notes)


def test_a_plan_that_meets_another_s_lock_is_refused(cloud, stack):
    _lock(cloud, "another.example")
    code, said, changed = stack(days=60, logs=["two"])
    assert code != 0
    assert "its state is locked (lock 11111111-2222-3333-4444-555555555555)" in said
    assert "by operator@another.example" in said
    assert changed == []
    assert _locked(cloud)
    cloud.client("dynamodb").delete_item(TableName=TABLE, Key=LOCK)


def test_a_plan_from_before_somebody_else_applied_is_refused(cloud, stack, tmp_path_factory):
    s3 = cloud.client("s3")
    state = json.loads(s3.get_object(Bucket=BUCKET, Key="local/gate.tfstate")["Body"].read())
    folder = next(iter(tmp_path_factory.getbasetemp().glob("gate*")))
    (folder / "later.tfstate").write_text(json.dumps({**state, "serial": state["serial"] + 1}))
    code, said, changed = stack("stale", logs=["two", "three"])
    assert code != 0
    assert f"serial {state['serial']} then, {state['serial'] + 1} now" in said
    assert changed == []
