"""The same changes are the same approval on another day; any other change is another."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.drydock.ops.plugins.module_utils.approval import (
    HINT,
    approval,
    changes,
    digest,
    note,
    problem,
    refusal,
)
from ansible_collections.drydock.ops.plugins.modules import terraform_plan
from ansible_collections.drydock.ops.plugins.plugin_utils.in_process import Ended, LocalModule

from tests.gate.changes import load


def _change(address: str, actions: list[str], **detail: Any) -> dict[str, Any]:
    return {"address": address, "mode": "managed", "change": {"actions": actions, **detail}}


PLAN = {
    "timestamp": "2026-01-02T03:04:05Z",
    "resource_changes": [
        _change(
            "aws_db_instance.orders",
            ["update"],
            before={"id": "db-1", "password": "old", "restorable": "03:04", "class": "small"},
            after={"id": "db-1", "password": "new", "restorable": "03:04", "class": "large"},
            after_unknown={"tags": {}},
            before_sensitive={"password": True},
            after_sensitive={"password": True},
        ),
        _change("aws_sns_topic.new", ["create"], before=None, after={"name": "new", "fifo": None},
                after_unknown={"arn": True}),
        _change("aws_sqs_queue.old", ["delete"], before={"id": "q-1", "messages": 5}, after=None),
        _change("aws_vpc.this", ["no-op"], before={"id": "v"}, after={"id": "v"}),
    ],
    "output_changes": {"arn": {"actions": ["create"], "after_unknown": True}},
}  # fmt: skip


def _plan() -> Any:
    return copy.deepcopy(PLAN)


def test_order_time_and_what_stays_do_not_matter() -> None:
    other = _plan()
    other["timestamp"] = "2027-01-01T00:00:00Z"
    other["prior_state"] = {"values": {}}
    other["resource_drift"] = [other["resource_changes"].pop()]
    other["resource_changes"].reverse()
    database = other["resource_changes"][2]["change"]
    # A measurement, which stays as it is with the change, was another yesterday.
    database["before"]["restorable"] = database["after"]["restorable"] = "02:00"
    other["resource_changes"][0]["change"]["before"]["messages"] = 7
    text = json.dumps(other, sort_keys=True)  # attributes in another order
    assert digest(json.loads(text)) == digest(PLAN)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ((0, "change", "after", "class"), "medium"),
        ((0, "change", "before", "class"), "tiny"),
        ((0, "change", "after", "password"), "newer"),
        ((0, "change", "after_unknown", "tags"), {"Name": True}),
        ((0, "change", "actions"), ["delete", "create"]),
        ((1, "change", "after", "name"), "newer"),
        ((1, "change", "after_unknown", "arn"), False),
        ((1, "address"), "aws_sns_topic.newer"),
        ((2, "change", "actions"), ["forget"]),
        ((2, "change", "before", "id"), "q-2"),
        ((2, "deposed"), "deadbeef"),
        ((3, "previous_address"), "aws_vpc.that"),
        ((3, "change", "importing"), {"id": "v"}),
    ],
)
def test_any_difference_is_another_digest(place: tuple[Any, ...], value: Any) -> None:
    other = _plan()
    spot = other["resource_changes"]
    for step in place[:-1]:
        spot = spot[step]
    spot[place[-1]] = value
    assert digest(other) != digest(PLAN)


def test_an_output_and_a_data_source_that_waits_count() -> None:
    other = _plan()
    other["output_changes"]["arn"]["actions"] = ["update"]
    assert digest(other) != digest(PLAN)
    read = {"mode": "data", **_change("data.aws_iam_policy_document.x", ["read"], before=None,
                                      after={"statement": [{"actions": ["s3:*"]}]})}  # fmt: skip
    with_read, narrower = _plan(), _plan()
    with_read["resource_changes"].append(read)
    assert digest(with_read) != digest(PLAN)
    read = copy.deepcopy(read)
    read["change"]["after"]["statement"][0]["actions"] = ["s3:GetObject"]
    narrower["resource_changes"].append(read)
    assert digest(narrower) != digest(with_read)


def test_a_digest_is_bound_to_the_state_and_nothing_of_a_value_is_in_it() -> None:
    assert digest(PLAN, "lineage-1") != digest(PLAN, "lineage-2")
    given = approval([{"stack": "data", "changes": digest(PLAN)}], "dev")
    assert "new" not in given.replace("data", "")
    assert changes({}) == {"resources": [], "outputs": {}}


def test_real_plans_have_digests_of_their_own() -> None:
    names = ("public-database", "root-variable-opens-database", "rule-narrowed", "a-tag-more")
    assert len({digest(load(name)) for name in names}) == len(names)


FOUNDATION = {"stack": "foundation", "changes": "f" * 64}
DATA = {"stack": "data", "changes": "d" * 64}
SAME = {"stack": "solana", "missing": []}


def test_an_approval_is_of_environment_stacks_and_changes() -> None:
    given = approval([FOUNDATION, DATA, SAME], "dev")
    seal, *hints = given.split(".")
    assert len(seal) == 64
    assert hints == [f"data-{'d' * HINT}", f"foundation-{'f' * HINT}"]
    assert approval([SAME, DATA, FOUNDATION], "dev") == given
    assert refusal(given, [DATA, FOUNDATION, SAME], "dev") == ""
    assert refusal(seal, [DATA, FOUNDATION, SAME], "dev") == ""  # hints only help
    for plans, environment in (
        ([FOUNDATION, DATA], "dev"),
        ([FOUNDATION, DATA, SAME, {"stack": "costs"}], "dev"),
        ([FOUNDATION, DATA, SAME], "prod"),
    ):
        assert "another environment or another set of stacks" in refusal(given, plans, environment)


def test_a_refusal_names_the_stack_and_what_to_do() -> None:
    given = approval([FOUNDATION, DATA, SAME], "dev")
    said = refusal(given, [FOUNDATION, {**DATA, "changes": "e" * 64}, SAME], "dev")
    assert said.startswith("Nothing of dev was applied:")
    assert "data would change otherwise" in said
    assert "foundation" not in said
    assert "playbooks/plan.yml" in said
    assert "solana would change and did not" in refusal(
        given, [FOUNDATION, DATA, {**SAME, "changes": "a" * 64}], "dev"
    )
    assert "data would not change any more" in refusal(
        given, [FOUNDATION, {"stack": "data"}, SAME], "dev"
    )
    assert "nothing would change any more" in refusal(given, [SAME], "dev")
    # The hints are the caller's: the seal decides.
    forged = ".".join(["0" * 64, *given.split(".")[1:]])
    assert refusal(forged, [FOUNDATION, DATA, SAME], "dev")
    assert "changes of data and foundation" in refusal("", [FOUNDATION, DATA, SAME], "dev")


def test_what_cannot_be_planned_whole_is_not_approved() -> None:
    waiting = {"stack": "data", "missing": ["foundation"]}
    for plans, word in (
        ([FOUNDATION, waiting], "wave by wave"),
        ([FOUNDATION, {"stack": "data", "error": "no"}], "can't be applied"),
        ([FOUNDATION, {**DATA, "refusals": ["x"]}], "can't be applied"),
    ):
        assert approval(plans, "dev") == ""
        assert word in problem(plans)
        assert word in refusal(approval([FOUNDATION], "dev"), plans, "dev")
        assert word in note(plans, "dev")


def test_an_empty_plan_needs_no_approval() -> None:
    assert approval([SAME], "dev") == ""
    assert note([SAME], "dev") == "**No approval:** provision.yml would change nothing.\n"
    assert "nothing would change any more" in refusal("", [SAME], "dev")


def test_a_stack_is_planned_and_only_the_digest_is_left(tmp_path: Path) -> None:
    stack, data = tmp_path / "stack", tmp_path / "data"
    stack.mkdir()
    (stack / "main.tf").write_text("""
terraform {
  backend "local" {}
}
variable "environment" {}
variable "account_id" {}
variable "secret" {
  sensitive = true
}
resource "terraform_data" "this" {
  input = var.secret
}
""")
    mask = os.umask(0)
    os.umask(mask)

    def planned(**variables: str) -> dict[str, Any]:
        want = {
            "stack": "sample", "environment": "dev", "project_path": str(stack),
            "data_dir": str(data), "account_id": "1",
            "variables": {"environment": "dev", "account_id": "1", **variables},
            "backend_config": {"path": str(tmp_path / "state")},
        }  # fmt: skip
        try:
            with pytest.raises(Ended) as ended:
                terraform_plan.main(LocalModule(want, check_mode=True).make)
        finally:
            os.umask(mask)
        return ended.value.result

    one, again, other = (planned(secret=word) for word in ("hunter2", "hunter2", "hunter3"))
    assert not one.get("failed"), one
    assert one["refusals"] == []
    assert len(one["changes"]) == 64
    assert one["changes"] == again["changes"] != other["changes"]
    assert "hunter2" not in str(one)
    assert list((data / "plans").iterdir()) == []
    failed = planned()
    assert failed["failed"]
    assert "Stack sample of dev" in failed["msg"]
