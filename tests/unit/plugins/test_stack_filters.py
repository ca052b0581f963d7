"""Waves, and Terraform's errors as sentences."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.drydock.ops.plugins.filter.drydock import stack_waves, terraform_error
from ansible_collections.drydock.ops.plugins.module_utils.terraform import environment, explain

LOCKED = """
╷
│ Error: Error acquiring the state lock
│
│ Error message: operation error DynamoDB: PutItem, https response error
│ Lock Info:
│   ID:        6b1f3c1e-0000-1111-2222-333344445555
│   Path:      drydock-dev-tfstate/dev/data.tfstate
│   Operation: OperationTypeApply
│   Who:       ann@ops1
│   Version:   1.11.4
│   Created:   2026-01-02 03:04:05.6 +0000 UTC
│   Info:
╵
"""


def test_waves_follow_needs_and_run_side_by_side() -> None:
    needs = {"platform": ["foundation"], "data": ["foundation"], "foundation": ["bootstrap"]}
    assert stack_waves(needs) == [["foundation"], ["data", "platform"]]


def test_needs_outside_of_the_play_are_taken_as_met() -> None:
    assert stack_waves({"data": ["foundation"]}) == [["data"]]


def test_a_circle_is_named() -> None:
    with pytest.raises(AnsibleFilterError, match="a needs b, b needs a"):
        stack_waves({"a": ["b"], "b": ["a"]})


def test_a_locked_state_says_who_and_since() -> None:
    text = explain(LOCKED, "data", "dev")
    for part in ("Stack data of dev", "6b1f3c1e", "ann@ops1", "2026-01-02 03:04:05", "for apply"):
        assert part in text
    assert "│" not in text


def test_a_stale_plan_says_what_to_do() -> None:
    text = terraform_error({"stderr": "Error: Saved plan is stale"}, "data", "dev")
    assert "Start the playbook again" in text


def test_a_terraform_that_was_killed_is_told_from_one_that_failed() -> None:
    text = terraform_error({"rc": -9, "stderr": "", "msg": ""}, "data", "dev")
    assert "ended by signal 9" in text
    assert "Its state lock was released" in text


def test_other_errors_are_terraform_s_own_without_warnings_and_boxes() -> None:
    text = explain("│ Warning: old\n│\n│ Error: no such AMI\n│\n│   on main.tf", "data", "dev")
    assert text.startswith("Stack data of dev: Error: no such AMI")
    assert "Warning" not in text


def test_an_operator_s_shell_does_not_steer_terraform() -> None:
    stray = {
        "TF_CLI_ARGS_plan": "-destroy",
        "TF_VAR_x": "1",
        "TF_WORKSPACE": "prod",
        "TF_LOG": "TRACE",
        "TF_DATA_DIR": "/elsewhere",
    }
    found = environment({**stray, "PATH": "/bin"}, "/data", "")
    assert found["TF_DATA_DIR"] == "/data"
    assert found["PATH"] == "/bin"
    assert not set(found) & (set(stray) - {"TF_DATA_DIR"})


def test_the_project_s_cli_configuration_is_used_only_where_it_is(tmp_path) -> None:
    there = tmp_path / "terraform.rc"
    base = {"TF_CLI_CONFIG_FILE": "/own"}
    assert environment(base, "/data", str(there))["TF_CLI_CONFIG_FILE"] == "/own"
    there.touch()
    assert environment(base, "/data", str(there))["TF_CLI_CONFIG_FILE"] == str(there)
