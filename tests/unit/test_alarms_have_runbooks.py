"""Nobody is woken without knowing what to do: every alarm in Terraform names a runbook, and every
runbook that answers alarms says so of exactly those that name it."""

import re
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).resolve().parent.parent.parent
TERRAFORM = PROJECT / "terraform"
RUNBOOKS = PROJECT / "runbooks"
# The modules that make alarms, and refuse to without a runbook; and service, whose alarm on bursts
# wakes nobody: autoscaling alone listens.
MAKERS = {"alarm", "composite_alarm", "service"}

KEY = re.compile(r'^ +"?([a-z0-9${}_-]+)"? += \{$')
NAME = re.compile(r'^ +name += "\$\{local\.name\}-([^"]+)"$')
RUNBOOK = re.compile(r'^ +runbook += "([^"]*)"$')


def _alarms(text: str) -> dict[str, str]:
    """Return alarm → runbook of a stack's HCL; what depends on the workload is a * in the name.

    An alarm is a block with a runbook; its name is the block's own key in the map of alarms, or
    its argument ``name``.
    """
    found: dict[str, str] = {}
    subject = ""
    for line in text.splitlines():
        named = KEY.match(line) or NAME.match(line)
        runbook = RUNBOOK.match(line)
        if named and named[1] != "metrics":
            subject = re.sub(r"\$\{[^}]*\}", "*", named[1])
        if runbook:
            assert subject not in found, f"two alarms are named {subject}"
            found[subject] = runbook[1]
    return found


def _stacks() -> dict[str, str]:
    """Return alarm → runbook of all stacks."""
    files = sorted(TERRAFORM.glob("stacks/*/*.tf"))
    return {
        alarm: runbook for path in files for alarm, runbook in _alarms(path.read_text()).items()
    }


def _answers(metadata: dict) -> set[str]:
    """Return the alarms that a runbook's metadata says it answers, written as _alarms does."""
    prefix = "drydock-{{ environment_name }}-"
    patterns = metadata.get("alarms") or []
    assert all(pattern.startswith(prefix) for pattern in patterns), patterns
    return {re.sub(r"\{\{.*?\}\}", "*", pattern.removeprefix(prefix)) for pattern in patterns}


def _unanswered(alarms: dict[str, str], files: set[str]) -> list[str]:
    """Return a sentence per alarm whose runbook is not among the files."""
    return [
        f"alarm {alarm} names runbooks/{runbook}.yml, which does not exist"
        for alarm, runbook in alarms.items()
        if f"{runbook}.yml" not in files
    ]


def _files() -> set[str]:
    return {path.name for path in RUNBOOKS.glob("*.yml")}


def test_every_alarm_names_a_runbook_that_exists():
    alarms = _stacks()
    assert set(alarms) == {
        "*-5xx",
        "*-latency",
        "*-cpu",
        "*-tasks",
        "*-impaired",
        "load-balancer-5xx",
        "database-connections",
        "solana-node-unhealthy",
        "solana-node-out",
        "*-node-latency",
        "*-behind",
        "*-errors",
        "*-dead-letters",
    }, "an alarm came or went: this list is what the search is held against"
    assert _unanswered(alarms, _files()) == []


def test_a_runbook_that_is_missing_is_noticed():
    planted = '  shared = {\n    lost = {\n      runbook = "hope"\n    }\n  }\n'
    assert _unanswered(_alarms(planted), _files()) == [
        "alarm lost names runbooks/hope.yml, which does not exist"
    ]


@pytest.mark.parametrize("runbook", sorted(set(_stacks().values())))
def test_a_runbook_answers_the_alarms_that_name_it(runbook: str):
    metadata = yaml.safe_load((RUNBOOKS / "meta" / f"{runbook}.yml").read_text())
    naming = {alarm for alarm, named in _stacks().items() if named == runbook}
    assert naming <= _answers(metadata)


def test_no_runbook_waits_for_an_alarm_that_is_not_there():
    alarms = set(_stacks())
    for path in sorted((RUNBOOKS / "meta").glob("*.yml")):
        metadata = yaml.safe_load(path.read_text())
        # A planned one looks at alarms, and answers none.
        waited = _answers(metadata) if metadata["trigger"] == "alarm" else set()
        assert waited <= alarms, f"{path.name} waits for {sorted(waited - alarms)}"


def test_alarms_are_made_by_the_modules_that_ask_for_a_runbook():
    makers = {
        path.parent.name
        for path in TERRAFORM.rglob("*.tf")
        if re.search(r'resource "aws_cloudwatch_(metric|composite)_alarm"', path.read_text())
    }
    assert makers == MAKERS
