"""What jobs/ says is sound, and what would not be is named with its cure."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jobs_definitions as definitions
import jobs_survey as survey
import pytest
import yaml

import jobs

from .conftest import PROJECT, write


def test_every_playbook_and_runbook_is_a_job_or_is_said_to_be_none(
    found: definitions.Definitions, capsys: pytest.CaptureFixture
) -> None:
    assert jobs.main(["check"]) == 0
    assert "23 jobs and 2 workflows" in capsys.readouterr().out
    there = {f"{path.parent.name}/{path.name}" for path in PROJECT.glob("playbooks/*.yml")}
    there |= {f"{path.parent.name}/{path.name}" for path in PROJECT.glob("runbooks/*.yml")}
    reasons = yaml.safe_load((PROJECT / "jobs/shared.yml").read_text())["not_jobs"]
    assert {job.playbook for job in found.jobs.values()} | set(reasons) == there
    assert all(len(reason.split()) > 3 for reason in reasons.values())


def test_every_field_has_type_limits_and_a_safe_default(found: definitions.Definitions) -> None:
    seen = 0
    for job in found.jobs.values():
        for name, field in job.fields("prod").items():
            seen += 1
            assert field["type"] in survey.TYPES, (job.name, name)
            assert field["description"]
            if field["type"] in ("int", "float"):
                assert field["minimum"] <= field["maximum"]
            elif field["type"] != "bool" and not field.get("choices"):
                assert 0 < survey.longest(field) <= 200
            default = field.get("default")
            if default is not None:
                assert survey.convert(field, default) == default
                assert default not in field.get("dangerous", [])
        if job.changes:
            assert job.fields("dev")["check"]["default"] is True
    assert seen > 60
    # What these do is done only when it is asked for.
    for name, field in (("end_active", "end_active"), ("force", "force"), ("restart", "restart")):
        for job in found.jobs.values():
            if field in job.survey:
                assert job.survey[field]["default"] is False, name
    assert "default" not in found.jobs["failover-drill"].survey["target"]
    assert found.jobs["solana-node-lagging"].survey["cure"]["default"] == "auto"


def test_workloads_to_choose_are_the_inventory_s(found: definitions.Definitions) -> None:
    workloads = [
        path.stem
        for path in sorted((PROJECT / "inventories/common/hosts").glob("*.yml"))
        if "workloads" in yaml.safe_load(path.read_text())
    ]
    for name in ("high-5xx", "ecs-tasks-flapping"):
        assert found.jobs[name].survey["workload"]["choices"] == workloads


def test_a_runbook_s_survey_is_its_metadata_narrowed(found: definitions.Definitions) -> None:
    for path in (PROJECT / "runbooks/meta").glob("*.yml"):
        inputs = yaml.safe_load(path.read_text()).get("inputs") or {}
        fields = found.jobs[path.stem].survey
        assert set(fields) == {*inputs, "force", "confirm"}
        for name, one in inputs.items():
            for key in ("type", "description", "default", "minimum"):
                assert fields[name].get(key) == one.get(key)
            assert fields[name].get("maximum", 0) <= one.get("maximum", float("inf"))


def test_who_agrees_is_asked_in_prod(found: definitions.Definitions) -> None:
    elsewhere = {job.name for job in found.jobs.values() if "prod" not in job.environments}
    assert elsewhere == {"teardown", "wake"}
    for job in (job for job in found.jobs.values() if job.name not in elsewhere):
        asks = "prod" in job.approval or "confirm" in job.survey
        assert asks == job.changes, job.name
    for workflow in found.workflows.values():
        kinds = ["job" in step for step in workflow.steps_of("prod")]
        changing = [
            step.get("values", {}).get("check") is False for step in workflow.steps_of("prod")
        ]
        assert kinds.index(False) < changing.index(True)
        assert all("job" in step for step in workflow.steps_of("dev"))


def change(job: str, **what: Any) -> Callable[[dict], dict]:
    return lambda found: {**found, job: {**found[job], **what}}


FIELD = {"type": "int", "description": "How many.", "default": 1, "minimum": 1, "maximum": 9}
RULE = "DTSTART;TZID=Europe/Berlin:20260105T063000 RRULE:FREQ=DAILY;INTERVAL=1"
AT = {"name": "at", "environments": ["dev"], "rrule": RULE, "late": "skip"}


@pytest.mark.parametrize(
    ("name", "changed", "words"),
    [
        ("playbooks", change("look", playbook="playbooks/gone.yml"), "gone.yml does not exist"),
        ("playbooks", change("look", environments=["moon"]), "environments has moon"),
        ("playbooks", change("look", credentials=["gold"]), "credentials has gold"),
        ("playbooks", change("look", notify={"error": ["nobody"]}), "notify has nobody"),
        ("playbooks", change("look", inventories=["nodes"]), "inventories/nodes/local does not"),
        ("playbooks", change("look", colour="red"), "has the unknown colour"),
        ("playbooks", change("look", changes="maybe"), "changes is maybe; say true or false"),
        ("playbooks", change("look", timeout_minutes=0), "timeout_minutes is 0, not 1 to 2880"),
        ("playbooks", change("look", survey={"unread": FIELD}), "does not read unread"),
        (
            "playbooks",
            change("look", survey={"size": {**FIELD, "default": 10}}),
            "the value 10 is not from 1 to 9",
        ),
        (
            "playbooks",
            change("look", survey={"size": {"type": "int", "description": "x"}}),
            "a number without limits: give it minimum and maximum",
        ),
        (
            "playbooks",
            change("look", survey={"size": {**FIELD, "dangerous": [1]}}),
            "has the dangerous default 1: take another, or make it required",
        ),
        (
            "playbooks",
            change("look", survey={"size": {"type": "bool", "description": "x"}}),
            "a yes or no without default",
        ),
        ("playbooks", change("look", survey={"size": {"type": "file"}}), "has the type file"),
        (
            "playbooks",
            change(
                "change", schedules=[{**AT, "environments": ["prod"], "values": {"check": False}}]
            ),
            "nobody is there to agree in prod",
        ),
        (
            "playbooks",
            change("look", schedules=[{**AT, "values": {"size": 50}}]),
            "Schedule at of job look: size=50 is not from 1 to 9",
        ),
        (
            "playbooks",
            change("look", schedules=[{**AT, "rrule": RULE.replace("T06", "T02")}]),
            "02:30 is skipped or comes twice on 2026-03-29 in Europe/Berlin",
        ),
        ("playbooks", change("look", schedules=[{**AT, "late": "maybe"}]), "late is maybe"),
        ("playbooks", lambda jobs: {"look": jobs["look"]}, "playbooks/change.yml is no job: add"),
        ("runbooks", lambda _: {"cure": {}}, "there is no runbooks/meta/cure.yml"),
        ("workflows", change("both", steps=[{"job": "gone"}]), "step 1: there is no job gone"),
        (
            "workflows",
            change("both", steps=[{"job": "change", "values": {"check": False}}]),
            "change needs an approval in prod: put a step",
        ),
        (
            "workflows",
            change("both", steps=[{"job": "look", "values": {"sise": 1}}]),
            "sise is no field of it; did you mean size?",
        ),
        (
            "shared",
            lambda shared: {**shared, "not_jobs": {"playbooks/look.yml": "x"}},
            "not_jobs has playbooks/look.yml, which is a job",
        ),
    ],
)
def test_a_wrong_definition_is_named(
    small: Path, name: str, changed: Callable, words: str, capsys: pytest.CaptureFixture
) -> None:
    assert jobs.main(["check"], small) == 0, capsys.readouterr().err
    write(small, name, changed)
    assert jobs.main(["check"], small) == 2
    assert words in capsys.readouterr().err
