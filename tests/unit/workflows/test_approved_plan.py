"""The commands that the workflows run, on real plans of the gate's sample: what opens a database is
refused with the comment that says why, and what is applied is what was approved."""

from __future__ import annotations

import json
from pathlib import Path

from ansible_collections.drydock.ops.plugins.module_utils.approval import approval, digest

from tests.gate.changes import load

from .conftest import Run, step

PLAN = step("environment", "plan", "Plan")["run"]
APPLY = step("environment", "apply", "Apply what was approved")["run"]
CHANGES = {"identity": "grant-removed", "operations": "rule-narrowed"}  # operations needs identity
STACKS = {"STACKS": "identity:operations"}
# As worked out here; the lineages are the fake states' (fake_terraform.py).
APPROVED = approval(
    [{"stack": stack, "changes": digest(load(name), stack)} for stack, name in CHANGES.items()],
    "local",
)


def _will(folder: Path, changes: dict[str, str]) -> None:
    """Set what the plans of stacks will be."""
    for stack, name in changes.items():
        (folder / f"{stack}.json").write_text(json.dumps(load(name)))


def _applied(folder: Path) -> list[str]:
    calls = (folder / "calls").read_text().splitlines()
    return [call.split()[0] for call in calls if call.endswith(" apply")]


def test_a_database_that_is_opened_to_the_world_is_refused_with_a_comment(
    run: Run, plans: Path, tmp_path: Path
) -> None:
    _will(plans, {"foundation": "root-variable-opens-database"})
    code, said = run(PLAN, {"STACKS": "foundation"})
    comment = (tmp_path / "plans/local.md").read_text()
    print(comment)  # pytest -s shows what a pull request gets
    assert code != 0
    assert "foundation of local can't be applied as planned" in said
    lines = comment.splitlines()
    assert lines[0] == "## Plan of local"
    assert "**Refused:** foundation can't be applied as planned." in lines
    (rule,) = (line for line in lines if "it lets 0.0.0.0/0 in on tcp 5432-5432" in line)
    assert 'aws_vpc_security_group_ingress_rule.database["office"]' in rule
    assert "(DRYDOCK_NET_2). Name the group that may come in" in rule  # the rule, and the cure
    assert any("aws_db_instance.orders" in one and "(DRYDOCK_NET_1)" in one for one in lines)
    assert any("| **refused** (2) |" in one and "$0.00 a month" in one for one in lines)
    assert "**No approval:** foundation can't be applied as planned" in comment
    # Without an approval there is no job that could apply.
    assert (tmp_path / "plans/local.approval").read_text() == ""
    assert _applied(plans) == []


def test_a_plan_that_passes_says_what_approves_it(run: Run, plans: Path, tmp_path: Path) -> None:
    _will(plans, CHANGES)
    code, said = run(PLAN, STACKS)
    assert code == 0, said[-3000:]
    assert (tmp_path / "plans/local.approval").read_text() == APPROVED
    assert f"**Approval:** `{APPROVED}`" in (tmp_path / "plans/local.md").read_text()
    # A plan is gone when its digest is known.
    folders = list((tmp_path / "home/terraform/local").glob("*/plans"))
    assert len(folders) == 2
    assert [path for folder in folders for path in folder.iterdir()] == []


def test_what_was_approved_is_applied(run: Run, plans: Path) -> None:
    _will(plans, CHANGES)
    code, said = run(APPLY, {**STACKS, "APPROVED_PLAN": APPROVED})
    assert code == 0, said[-3000:]
    assert _applied(plans) == ["identity", "operations"]


def test_where_one_stack_would_change_otherwise_none_is_applied(run: Run, plans: Path) -> None:
    _will(plans, {**CHANGES, "operations": "grant-removed"})
    code, said = run(APPLY, {**STACKS, "APPROVED_PLAN": APPROVED})
    assert code != 0
    assert (
        "Nothing of local was applied: it is not what was approved: operations would change "
        "otherwise. Look at the new plan"
    ) in said
    assert _applied(plans) == []


def test_what_an_apply_changes_in_the_next_stack_is_not_approved(run: Run, plans: Path) -> None:
    _will(plans, {**CHANGES, "operations.later": "grant-removed"})
    code, said = run(APPLY, {**STACKS, "APPROVED_PLAN": APPROVED})
    assert code != 0
    assert "operations was not applied: since identity, which it needs, was applied" in said
    assert _applied(plans) == ["identity"]
