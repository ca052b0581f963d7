"""Plans for review, drift, prices and work on states, on the whole platform."""

import json
import re

import pytest

from .site import Site, play

# Two stacks are as good as all where a test is about the way and not about what is built.
TWO = ("--limit", "foundation,platform")


def _group(site: Site) -> str:
    groups = site.cloud.client("ec2").describe_security_groups()["SecurityGroups"]
    return next(g["GroupId"] for g in groups if g["GroupName"] == "drydock-local-database")


def test_a_plan_for_review_says_what_would_change_and_changes_nothing(site: Site) -> None:
    mark = site.mark()
    report = site.cloud.settings.home / "plans/local.md"
    done = play("plan", *TWO, "-e", "log_retention_days=14")
    assert done.code == 0, done.story
    assert site.changes_since(mark) == []
    text = report.read_text()
    assert "aws_cloudwatch_log_group" in text and "platform" in text
    assert play("plan", "--limit", "foundation").code == 0
    assert "aws_cloudwatch_log_group" not in report.read_text()


def test_only_what_was_approved_is_applied(site: Site) -> None:
    """What was approved is 14 days; an inventory that says 30 since then is not."""
    approval = site.cloud.settings.home / "plans/local.approval"
    assert play("plan", "--limit", "foundation", "-e", "log_retention_days=14").code == 0
    approved = ("--limit", "foundation", "-e", f"approved_plan={approval.read_text()}")
    mark = site.mark()
    other = play("provision", *approved, "-e", "log_retention_days=30")
    assert other.code != 0, other.story
    assert "foundation would change otherwise" in " ".join(other.output.split())
    assert site.changes_since(mark) == []
    done = play("provision", *approved, "-e", "log_retention_days=14")
    assert done.code == 0, done.story
    assert done.changed["foundation"] > 0
    again = play("provision", *approved, "-e", "log_retention_days=14")
    assert again.code != 0 and "nothing would change any more" in " ".join(again.output.split())
    assert play("provision", "--limit", "foundation").code == 0


def test_data_is_not_lost_without_a_budget_and_a_reason(site: Site) -> None:
    """A database of another name is another database."""
    mark = site.mark()
    change = json.dumps({"database": {"instance_class": "db.t4g.micro", "name": "other"}})
    for playbook in ("plan", "provision"):
        done = play(playbook, "--limit", "data", "-e", change)
        assert done.code != 0, done.story
        assert "module.database.aws_db_instance.this" in done.output
        assert "allow_destroy" in done.output
    assert site.changes_since(mark) == []


def test_what_was_changed_by_hand_is_reported(site: Site) -> None:
    report = site.cloud.settings.home / "reports/local/drift.md"
    drift = ("drift", "--limit", "foundation", "-e", "fail_on_drift=true")
    clean = play(*drift)
    assert clean.code == 0, clean.story
    ec2, group = site.cloud.client("ec2"), _group(site)
    ec2.create_tags(Resources=[group], Tags=[{"Key": "Owner", "Value": "nobody"}])
    try:
        found = play(*drift)
    finally:
        ec2.create_tags(Resources=[group], Tags=[{"Key": "Owner", "Value": "platform-team"}])
    assert found.code != 0, found.story
    assert "aws_security_group.database" in report.read_text()
    assert play(*drift).code == 0


def test_the_environment_has_a_price(site: Site) -> None:
    mark = site.mark()
    done = play("cost")
    assert done.code == 0, done.story
    assert site.changes_since(mark) == []
    page = next((site.cloud.settings.home / "costs").rglob("*.md")).read_text()
    total = re.search(r"\$\s?([\d,]+\.\d\d)", page)
    assert total and float(total[1].replace(",", "")) > 10, page[:2000]
    for stack in ("data", "platform", "foundation"):
        assert stack in page


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("-e", "operation=burn"), "give one of list, show, move, import"),
        (("-e", "operation=show"), "show takes"),
        (("-e", "operation=show", "-e", "address=module.no.aws_vpc.this"),
         "module.no.aws_vpc.this"),
        (("-e", "operation=import", "-e", "address=module.network.aws_vpc.this", "-e", "id=vpc-1"),
         "module.network.aws_vpc.this"),
    ],
)  # fmt: skip
def test_wrong_work_on_a_state_is_refused(site: Site, words: tuple[str, ...], says: str) -> None:
    mark = site.mark()
    done = play("state", "--limit", "foundation", *words)
    assert done.code != 0
    assert says in done.output, done.story
    assert site.changes_since(mark) == []


def test_a_state_is_listed_and_shown_without_its_secrets(site: Site) -> None:
    listed = play("state", "--limit", "foundation", "-e", "operation=list")
    assert listed.code == 0 and "module.network.aws_vpc.this" in listed.output, listed.output[
        -3000:
    ]
    shown = play(
        "state", "--limit", "foundation", "-e", "operation=show",
        "-e", "address=module.network.aws_vpc.this",
    )  # fmt: skip
    assert shown.code == 0 and "10.10.0.0/16" in shown.output, shown.story
