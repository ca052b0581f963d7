"""Bad changes are refused with resource, rule and cure; harmless ones pass. The plans are real."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.drydock.ops.plugins.module_utils.gate import Judgement, judge
from ansible_collections.drydock.ops.plugins.module_utils.gate_loss import Loss
from ansible_collections.drydock.ops.plugins.module_utils.plan_report import markdown
from ansible_collections.drydock.ops.plugins.module_utils.policies import RULES
from ansible_collections.drydock.ops.plugins.module_utils.policies.identity import MANDATORY

from tests.gate.changes import BAD, HARMLESS, Change, batches, edited, load

REASON = "agreed with the owner of the data"


BATCHES = {change.name: (name, held) for name, held in batches().items() for change in held}


def judged(change: Change, folder: Path, **more: Any) -> Judgement:
    """Judge the plan of a change, which may be one of several at once."""
    name, together = BATCHES[change.name]
    if not (folder / "main.tf").exists():
        edited(together, folder)
    settings: dict[str, Any] = {
        "stack": "sample", "environment": "local", "account_id": "123456789012",
        "project_path": folder, **change.judged, **more,
    }  # fmt: skip
    return judge(load(name), **settings)


@pytest.mark.parametrize("change", BAD, ids=lambda change: change.name)
def test_a_bad_change_is_refused(change: Change, tmp_path: Path) -> None:
    said = judged(change, tmp_path).refusals("0", "")
    assert change.refused
    for rule, address, word in change.refused:
        assert [
            one for one in said if f"(DRYDOCK_{rule})" in one and address in one and word in one
        ], f"{rule} {address} {word!r} is not among {said}"
    for sentence in said:
        # Every sentence ends with how to mend it; nothing secret is in one.
        assert len(sentence.rsplit("). ", 1)[-1]) > 15
        assert "hunter2" not in sentence
        assert "could not judge" not in sentence
    # Nothing is said that none of the changes planned together brought about.
    expected = {rule for one in BATCHES[change.name][1] for rule, _, _ in one.refused}
    assert {one.rsplit("(DRYDOCK_", 1)[-1].split(")")[0] for one in said} <= expected


@pytest.mark.parametrize("change", HARMLESS, ids=lambda change: change.name)
@pytest.mark.parametrize("protected", [False, True])
def test_a_harmless_change_passes(change: Change, protected: bool, tmp_path: Path) -> None:
    assert judged(change, tmp_path, protected=protected).refusals("0", "") == []


def test_every_rule_is_broken_by_a_change_and_has_a_cure() -> None:
    broken = {f"DRYDOCK_{rule}" for change in BAD for rule, _, _ in change.refused}
    assert {rule.id for rule in RULES} <= broken
    for rule in RULES:
        assert rule.title.endswith(".")
        assert rule.cure.endswith(".")
        assert rule.cure.count(". ") == 0, f"{rule.id}: one sentence"
    assert len({rule.id for rule in RULES}) == len(RULES)


LOSSES = Judgement(losses=[Loss("a.one", "it holds data and would be destroyed")] * 2)


@pytest.mark.parametrize(
    ("budget", "reason", "passes", "word"),
    [
        ("0", "", False, "allow_destroy=2"),
        ("1", REASON, False, "allow_destroy=2"),
        ("2", REASON, True, ""),
        ("all", REASON, True, ""),
        ("2", "", False, "allow_destroy_reason"),
        ("2", "ok", False, "allow_destroy_reason"),
        ("2", ".................", False, "allow_destroy_reason"),
        ("-1", REASON, False, "not a number"),
        ("many", REASON, False, "not a number"),
    ],
)
def test_losses_need_a_budget_and_a_reason(
    budget: str, reason: str, passes: bool, word: str
) -> None:
    said = LOSSES.refusals(budget, reason)
    assert (said == []) == passes
    assert word in " ".join(said)


def test_no_budget_lets_a_policy_be_broken(tmp_path: Path) -> None:
    change = next(one for one in BAD if one.name == "public-database")
    assert judged(change, tmp_path).refusals("all", REASON)


@pytest.mark.parametrize("name", ["unknown-range", "everything-allowed-unknown-at-plan",
                                  "new-buckets-policy-for-everybody"])  # fmt: skip
def test_what_cannot_be_worked_out_is_refused(name: str, tmp_path: Path) -> None:
    """Where the HCL is out of reach or can't be read, an unknown policy or range does not pass."""
    change = next(one for one in BAD if one.name == name)
    ((_, address, _),) = change.refused
    edited(BATCHES[name][1], tmp_path)
    for path in tmp_path.rglob("*.tf"):
        path.write_text("what is this ? {{{")
    said = judged(change, tmp_path).refusals("0", "")
    assert [one for one in said if address in one and "can't be known before the apply" in one]


def test_a_document_that_is_no_plan_is_refused() -> None:
    for plan in ({}, {"format_version": "2.0"}, {"format_version": "1.2", "errored": True}):
        said = judge(plan, stack="s", environment="local", account_id="1").refusals("0", "")
        assert any("DRYDOCK_PLAN" in one for one in said)


def test_a_state_of_another_account_is_refused() -> None:
    plan = {
        "format_version": "1.2",
        "variables": {"environment": {"value": "dev"}, "account_id": {"value": "111111111111"}},
        "resource_changes": [{
            "address": "aws_sns_topic.a", "type": "aws_sns_topic", "mode": "managed",
            "change": {"actions": ["no-op"], "after": {},
                       "before": {"arn": "arn:aws:sns:us-east-1:222222222222:a"}},
        }],
    }  # fmt: skip
    said = judge(plan, stack="s", environment="dev", account_id="111111111111").refusals("0", "")
    assert any("222222222222" in one for one in said)


def test_what_was_deleted_outside_is_not_silently_made_anew() -> None:
    name = next(iter(batches()))
    plan = load(name)
    (table,) = [
        one for one in plan["resource_changes"] if one["address"] == "aws_dynamodb_table.orders"
    ]
    lost = {**table, "change": {**table["change"], "actions": ["delete"]}}
    table["change"]["actions"] = ["create"]
    plan["resource_drift"] = [lost]
    said = judge(plan, stack="s", environment="local", account_id="123456789012").refusals("0", "")
    assert any("aws_dynamodb_table.orders: it was deleted outside" in one for one in said)


def test_an_old_fault_does_not_block_another_change() -> None:
    """A bucket that was bare before is not judged for its log group's sake."""
    bucket = {"arn": "arn:aws:s3:::b", "bucket": "b", "id": "b"}
    group = {"name": "/g", "retention_in_days": 7, "tags_all": dict.fromkeys(MANDATORY, "local")}
    plan = {
        "format_version": "1.2",
        "variables": {"environment": {"value": "local"}, "account_id": {"value": "1"}},
        "resource_changes": [
            {"address": "aws_s3_bucket.b", "type": "aws_s3_bucket", "mode": "managed",
             "change": {"actions": ["no-op"], "before": bucket, "after": bucket}},
            {"address": "aws_cloudwatch_log_group.g", "type": "aws_cloudwatch_log_group",
             "mode": "managed",
             "change": {"actions": ["update"], "before": group,
                        "after": {**group, "retention_in_days": 14}}},
        ],
    }  # fmt: skip
    assert judge(plan, stack="s", environment="local", account_id="1").refusals("0", "") == []


def test_the_report_shows_the_risky_first_and_cannot_be_broken_out_of() -> None:
    plans = [
        {"stack": "calm", "sentence": "1 to add", "counts": {"add": 1}, "lines": ["+ a.b"]},
        {"stack": "idle", "missing": []},
        {"stack": "wild", "sentence": "1 to destroy", "counts": {"destroy": 1, "add": 1},
         "lines": ["+ a.new", "    x: 1", "- a.old", '~ a.z (```)'], "cost": "+$1.00 a month",
         "refusals": ["a.old: it holds data (DRYDOCK_LOSS). Undo | it."],
         "losses": [{"address": "a.old", "what": "it holds data"}]},
    ]  # fmt: skip
    text = markdown(plans, "dev", "abc")
    assert text.index("| wild |") < text.index("| calm |") < text.index("| idle |")
    assert text.index("\n- a.old") < text.index("\n! ~ a.z") < text.index("\n+ a.new\n    x: 1")
    assert "````diff" in text
    assert "**Refused:** wild" in text
    assert "| idle | no changes |" in text
    assert "Undo \\| it." in text
    assert "Too long" in markdown([{**plans[2], "lines": ["+ x" * 30000]}], "dev")
