"""The jobs, workflows and what they refer to, read from jobs/ and held against the project."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jobs_schedules as schedules
import jobs_survey as survey
import yaml

PROJECT = Path(__file__).resolve().parent.parent
FILES = ("shared", "playbooks", "runbooks", "workflows")
_SHARED = {"defaults", "notifications", "not_jobs"}
# Keys of a job, and those that only one on a playbook has: a runbook's metadata says them.
_COMMON = {"environments", "limit", "approval", "credentials", "notify", "timeout_minutes"}
_COMMON |= {"survey", "schedules"}
_PLAYBOOK = {"description", "playbook", "changes", "variables", "inventories"}
_SCHEDULE = {"name", "environments", "rrule", "late", "values"}
_EVENTS = {"started", "success", "error"}
# The field that a schedule with `late: skip` fills with its own local time, where a job has it: a
# timer and AWX skip what they missed, but neither knows how long a start then waited for its turn.
INTENDED = "intended"
_NAME = re.compile(r"[a-z][a-z0-9-]*")


class BadDefinitions(Exception):
    """Definitions that can't be; ``problems`` are sentences that name value, reason and cure."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Schedule:
    """When a job runs by itself; ``late`` says whether a time that was missed is made up for."""

    name: str
    environments: list[str]
    rule: schedules.Rule
    late: bool
    values: dict[str, Any]


@dataclass(frozen=True)
class Job:
    """A playbook with what it may be given. ``inventories``: folders besides its own."""

    name: str
    description: str
    playbook: str
    environments: list[str]
    inventories: list[str]
    changes: bool
    limit: bool
    approval: list[str]
    credentials: list[str]
    notify: dict[str, list[str]]
    timeout_minutes: int
    variables: dict[str, Any]
    survey: dict[str, survey.Field]
    schedules: list[Schedule] = field(default_factory=list)

    def fields(self, environment: str) -> dict[str, survey.Field]:
        """The survey's fields, and those that say how Ansible is called."""
        found = dict(self.survey)
        if self.limit:
            found["limit"] = survey.LIMIT
        if self.changes:
            found["check"] = survey.CHECK
        if environment in self.approval:
            found["approve"] = survey.APPROVE
        return found


@dataclass(frozen=True)
class Workflow:
    """Jobs one after another. A step is {job, values} or {approval: text, environments}."""

    name: str
    description: str
    environments: list[str]
    steps: list[dict[str, Any]]

    def steps_of(self, environment: str) -> list[dict[str, Any]]:
        """The steps in an environment: approvals only where they are asked for."""
        return [step for step in self.steps if "job" in step or environment in step["environments"]]


@dataclass(frozen=True)
class Definitions:
    """All that jobs/ says."""

    jobs: dict[str, Job]
    workflows: dict[str, Workflow]
    notifications: dict[str, dict[str, str]]
    environments: list[str]


def load(project: Path = PROJECT) -> Definitions:
    """Reads and checks all definitions.

    Raises:
        BadDefinitions: with all sentences on what is wrong.
    """
    problems: list[str] = []
    raw = {name: _mapping(project / f"jobs/{name}.yml", problems) for name in FILES}
    known = _mapping(project / "inventories/common/vars/environments.yml", problems)
    credentials = _mapping(project / "awx/controller.yml", problems).get("credentials", {})
    if problems:
        raise BadDefinitions(problems)
    shared = raw["shared"]
    problems += _keys("jobs/shared.yml", shared, _SHARED)
    refers = {
        "environments": list(known["environments"]),
        "credentials": list(credentials),
        "notifications": list(shared["notifications"]),
    }
    jobs = {}
    for kind in ("playbooks", "runbooks"):
        for name, found in raw[kind].items():
            if name in jobs:
                problems.append(f"Job {name} is there twice: rename one of the two.")
            job = _job(project, kind, name, found or {}, shared["defaults"], refers, problems)
            if job:
                jobs[name] = job
    if not problems:
        problems += _covered(project, jobs, shared["not_jobs"])
    workflows = {
        name: _workflow(name, found, shared["defaults"], jobs, refers, problems)
        for name, found in raw["workflows"].items()
        if not problems
    }
    if problems:
        raise BadDefinitions(problems)
    return Definitions(jobs, workflows, shared["notifications"], refers["environments"])


def _mapping(path: Path, problems: list[str]) -> dict[str, Any]:
    """A YAML file's mapping; what is none is added to the problems."""
    try:
        found = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        found = None
    except yaml.YAMLError as error:
        problems.append(f"{path} is no YAML: {error}")
        return {}
    if not isinstance(found, dict):
        problems.append(f"{path} is missing or holds no mapping.")
        return {}
    return found


def _keys(what: str, found: dict[str, Any], allowed: set[str]) -> list[str]:
    unknown = sorted(set(found) - allowed)
    if not unknown:
        return []
    return [f"{what} has the unknown {', '.join(unknown)}; it has {', '.join(sorted(allowed))}."]


def _runbook(project: Path, name: str, narrowed: dict[str, Any]) -> dict[str, Any]:
    """A job on a runbook as one on a playbook, with the survey of the runbook's metadata."""
    meta = yaml.safe_load((project / f"runbooks/meta/{name}.yml").read_text())
    fields = {
        field_name: {key: value for key, value in one.items() if key in survey.KEYS}
        for field_name, one in (meta.get("inputs") or {}).items()
    }
    for field_name, one in narrowed.get("survey", {}).items():
        fields[field_name] = {**fields.get(field_name, {}), **one}
    fields |= {"force": survey.FORCE, "confirm": survey.CONFIRM}
    return {
        **narrowed,
        "description": meta["title"],
        "playbook": f"runbooks/{name}.yml",
        "changes": True,
        "inventories": meta.get("inventories", []),
        "survey": fields,
    }


def _job(
    project: Path,
    kind: str,
    name: str,
    found: dict[str, Any],
    defaults: dict[str, Any],
    refers: dict[str, list[str]],
    problems: list[str],
) -> Job | None:
    """A job of its definition; None with problems added where there can be none."""
    what = f"Job {name}"
    before = len(problems)
    problems += _keys(what, found, _COMMON if kind == "runbooks" else _COMMON | _PLAYBOOK)
    if not _NAME.fullmatch(name):
        problems.append(f"{what} is no name: use a-z, 0-9 and -.")
    if kind == "runbooks":
        if not (project / f"runbooks/meta/{name}.yml").exists():
            problems.append(f"{what} is on no runbook: there is no runbooks/meta/{name}.yml.")
            return None
        found = _runbook(project, name, found)
    if missing := {"description", "playbook", "changes"} - set(found):
        problems.append(f"{what} lacks {', '.join(sorted(missing))}.")
        return None
    found = {"survey": {}, "schedules": [], "variables": {}, **defaults, **found}
    problems += _job_problems(project, kind, what, found, refers)
    if len(problems) > before:
        return None
    rules = found.pop("schedules")
    job = Job(name=name, **found)
    for one in rules:
        if made := _schedule(job, one, problems):
            job.schedules.append(made)
    return job


def _job_problems(
    project: Path, kind: str, what: str, found: dict[str, Any], refers: dict[str, list[str]]
) -> list[str]:
    problems = []
    playbook = project / found["playbook"]
    if not playbook.exists():
        return [f"{what}: {found['playbook']} does not exist; name a playbook or a runbook."]
    if not isinstance(found["changes"], bool):
        problems.append(f"{what}: changes is {found['changes']}; say true or false.")
    for key, names in (
        ("environments", refers["environments"]),
        ("approval", refers["environments"]),
        ("credentials", refers["credentials"]),
    ):
        for one in sorted(set(found[key]) - set(names)):
            problems.append(f"{what}: {key} has {one}, which is none of {', '.join(names)}.")
    for folder in found["inventories"]:
        problems += [
            f"{what}: inventories/{folder}/{environment} does not exist."
            for environment in found["environments"]
            if not (project / "inventories" / folder / environment).is_dir()
        ]
    problems += _keys(f"{what}: notify", found["notify"], _EVENTS)
    for one in sorted({one for names in found["notify"].values() for one in names}):
        if one not in refers["notifications"]:
            problems.append(
                f"{what}: notify has {one}, which jobs/shared.yml does not have "
                f"({', '.join(refers['notifications'])})."
            )
    minutes = found["timeout_minutes"]
    if not isinstance(minutes, int) or not 1 <= minutes <= 2880:
        problems.append(f"{what}: timeout_minutes is {minutes}, not 1 to 2880.")
    text = playbook.read_text()
    for name, one in found["survey"].items():
        problems += [f"{what}: {problem}" for problem in survey.field_problems(name, one)]
        if name in survey.RESERVED:
            problems.append(f"{what}: field {name} is one that jobs have by themselves: rename it.")
        if kind == "playbooks" and not re.search(rf"\b{re.escape(name)}\b", text):
            problems.append(
                f"{what}: {found['playbook']} does not read {name}: take the field out."
            )
    return problems


def _schedule(job: Job, found: dict[str, Any], problems: list[str]) -> Schedule | None:
    """A job's schedule, or None with problems added."""
    what = f"Schedule {found.get('name')} of job {job.name}"
    before = len(problems)
    problems += _keys(what, found, _SCHEDULE)
    if missing := _SCHEDULE - {"values"} - set(found):
        problems.append(f"{what} lacks {', '.join(sorted(missing))}.")
        return None
    if found["late"] not in ("run", "skip"):
        problems.append(f"{what}: late is {found['late']}; say run or skip.")
    given = found.get("values", {})
    if INTENDED in given:
        problems.append(f"{what}: {INTENDED} follows from rrule and late: leave it out.")
    for environment in found["environments"]:
        if environment not in job.environments:
            problems.append(f"{what}: the job does not run on {environment}.")
            continue
        problems += _values_problems(what, job, environment, given)
        if not given.get("check", True) and environment in job.approval:
            problems.append(
                f"{what}: nobody is there to agree in {environment}: leave out check, or that."
            )
    try:
        rule = schedules.parse(found["rrule"])
    except schedules.BadSchedule as error:
        problems.append(f"{what}: {error}.")
        return None
    late = found["late"] == "run"
    if INTENDED in job.survey and not late:
        if {"BYHOUR", "BYMINUTE"} & set(rule.parts):
            problems.append(
                f"{what}: it has several times of day, and {INTENDED} is one: make a schedule of "
                "each."
            )
        given = {**given, INTENDED: f"{rule.start:%H:%M} {rule.zone}"}
    if len(problems) > before:
        return None
    return Schedule(found["name"], found["environments"], rule, late, given)


def _values_problems(what: str, job: Job, environment: str, given: dict[str, Any]) -> list[str]:
    _typed, found = survey.values(job.fields(environment), given)
    return [f"{what}: {one}" for one in found]


def _workflow(
    name: str,
    found: dict[str, Any],
    defaults: dict[str, Any],
    jobs: dict[str, Job],
    refers: dict[str, list[str]],
    problems: list[str],
) -> Workflow:
    what = f"Workflow {name}"
    problems += _keys(what, found, {"description", "environments", "steps"})
    if name in jobs:
        problems.append(f"{what} has a job's name: rename one of the two.")
    steps = found.get("steps") or []
    environments = found.get("environments", defaults["environments"])
    approved: set[str] = set()
    if not steps or "description" not in found:
        problems.append(f"{what} needs a description and steps.")
    for number, step in enumerate(steps, 1):
        where = f"{what}, step {number}"
        if "approval" in step:
            problems += _keys(where, step, {"approval", "environments"})
            unknown = sorted(set(step.get("environments", [])) - set(refers["environments"]))
            problems += [f"{where}: {one} is no environment." for one in unknown]
            approved |= set(step.get("environments", []))
            continue
        problems += _keys(where, step, {"job", "values"})
        job = jobs.get(step.get("job"))
        if not job:
            problems.append(f"{where}: there is no job {step.get('job')}.")
            continue
        given = step.get("values", {})
        for environment in environments:
            problems += _values_problems(where, job, environment, given)
            if (
                environment in job.approval
                and environment not in approved
                and given.get("check", True) is False
            ):
                problems.append(
                    f"{where}: {job.name} needs an approval in {environment}: put a step "
                    "{approval: …} before it."
                )
    return Workflow(name, found.get("description", ""), environments, steps)


def _covered(project: Path, jobs: dict[str, Job], reasons: dict[str, str]) -> list[str]:
    """Sentences on playbooks and runbooks that are neither a job nor said to be none."""
    there = {
        str(path.relative_to(project))
        for folder in ("playbooks", "runbooks")
        for path in (project / folder).glob("*.yml")
    }
    used = {job.playbook for job in jobs.values()}
    found = [
        f"{path} is no job: add one in jobs/, or say in not_jobs of jobs/shared.yml why not."
        for path in sorted(there - used - set(reasons))
    ]
    found += [f"not_jobs has {path}, which is a job." for path in sorted(used & set(reasons))]
    return found + [
        f"not_jobs has {path}, which does not exist." for path in sorted(set(reasons) - there)
    ]
