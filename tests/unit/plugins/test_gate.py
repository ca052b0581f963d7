"""Bad changes are refused with resource, rule and cure; harmless ones pass. The plans are real."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.drydock.ops.plugins.module_utils.gate import Judgement, judge
from ansible_collections.drydock.ops.plugins.module_utils.gate_loss import Loss
from ansible_collections.drydock.ops.plugins.module_utils.policies import RULES

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
