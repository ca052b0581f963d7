"""Runs a job or a workflow here, by ansible-runner, after its values were checked."""

import json
import os
import shutil
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ansible_runner
import jobs_survey as survey
from jobs_definitions import Definitions, Job, Workflow

APPROVAL_DUE = 3
# Runs of a job whose artifacts are kept.
KEPT = 20


class Refused(Exception):
    """Something that was asked for and can't be; nothing was started."""


def run(
    project: Path,
    found: Definitions,
    name: str,
    environment: str,
    given: list[str],
) -> int:
    """Runs a job or a workflow with ``field=value`` texts. Returns its exit code.

    Raises:
        Refused: unknown names, or values that the survey does not allow.
    """
    what = found.jobs.get(name) or found.workflows.get(name)
    if what is None:
        raise Refused(
            f"{name} is no job: take one of {', '.join([*found.jobs, *found.workflows])}."
        )
    if environment not in what.environments:
        raise Refused(f"{name} does not run on {environment}: {', '.join(what.environments)} can.")
    values: dict[str, Any] = {}
    for text in given:
        field, equals, value = text.partition("=")
        if not equals:
            raise Refused(f"{text} is no field=value.")
        if field in values:
            raise Refused(f"{field} is given twice.")
        values[field] = value
    if isinstance(what, Workflow):
        return _workflow(project, found, what, environment, values)
    return start(project, found, what, environment, checked(what, environment, values))


def checked(job: Job, environment: str, given: dict[str, Any]) -> dict[str, Any]:
    """The values of a job's fields, typed.

    Raises:
        Refused: with a sentence on each value that can't be, or when nobody has agreed.
    """
    values, problems = survey.values(job.fields(environment), given)
    if problems:
        raise Refused(f"{job.name}: {' '.join(problems)} Nothing was started.")
    approval = values.pop("approve", None)
    if environment in job.approval and not values.get("check", True) and approval != environment:
        raise Refused(
            f"{job.name} changes {environment}, which somebody has to agree to: run it without "
            f"check=no, read what it shows, then give approve={environment}. Nothing was started."
        )
    return values


def _workflow(
    project: Path, found: Definitions, workflow: Workflow, environment: str, given: dict[str, Any]
) -> int:
    """Runs the steps until one fails, or until an approval that nobody has given."""
    steps = workflow.steps_of(environment)
    fields = {"approve": survey.APPROVE} if any("approval" in step for step in steps) else {}
    values, problems = survey.values(fields, given)
    if problems:
        raise Refused(f"{workflow.name}: {' '.join(problems)} Nothing was started.")
    approve = values.get("approve")
    ready = [
        (
            step,
            checked(
                found.jobs[step["job"]],
                environment,
                # Whether the approval was given is asked at its step, before this one's turn.
                _approved(found.jobs[step["job"]], environment, step.get("values", {})),
            ),
        )
        if "job" in step
        else (step, {})
        for step in steps
    ]
    for step, typed in ready:
        if "approval" in step:
            if approve != environment:
                print(
                    f"jobs: {workflow.name} waits: {step['approval']}? Who agrees runs it again "
                    f"with approve={environment}."
                )
                return APPROVAL_DUE
            continue
        code = start(project, found, found.jobs[step["job"]], environment, typed)
        if code:
            print(f"jobs: {workflow.name} ends at {step['job']}", file=sys.stderr)
            return code
    return 0


def _approved(job: Job, environment: str, values: dict[str, Any]) -> dict[str, Any]:
    return {**values, "approve": environment} if environment in job.approval else values


def start(
    project: Path,
    found: Definitions,
    job: Job,
    environment: str,
    values: dict[str, Any],
    runner: Callable[..., Any] = ansible_runner.run,
) -> int:
    """Runs a job with checked values. Returns ansible-playbook's exit code."""
    values = dict(values)
    check, limit = values.pop("check", False), values.pop("limit", None)
    home = Path(os.environ.get("DRYDOCK_HOME") or project / ".drydock")
    runs = home / "jobs" / environment / job.name
    private = _folder(runs)
    folders = ["", *job.inventories]
    print(f"jobs: {job.name} on {environment}{' (rehearsal)' if check else ''}: {private}")
    _tell(found, job, environment, "started")
    result = runner(
        private_data_dir=str(private),
        project_dir=str(project),
        playbook=str(project / job.playbook),
        inventory=[str(project / "inventories" / one / environment) for one in folders],
        limit=limit,
        extravars={**job.variables, **values},
        cmdline="--check --diff" if check else None,
        envvars={
            "ANSIBLE_CONFIG": str(project / "ansible.cfg"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        },
        settings={"job_timeout": job.timeout_minutes * 60},
    )
    # ansible-runner writes down the environment that it had, credentials and all.
    for path in private.glob("artifacts/*/command"):
        path.unlink()
    if result.status == "timeout":
        print(f"jobs: {job.name} was ended after {job.timeout_minutes} minutes", file=sys.stderr)
    code = int(result.rc)
    _tell(found, job, environment, "error" if code else "success")
    return code


def _folder(runs: Path) -> Path:
    """A new folder for a run's artifacts; the oldest go."""
    runs.mkdir(parents=True, exist_ok=True, mode=0o700)
    before = sorted(runs.iterdir(), key=lambda path: path.stat().st_mtime)
    for old in before[: max(0, len(before) - KEPT + 1)]:
        shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix="run-", dir=runs))


def _tell(found: Definitions, job: Job, environment: str, event: str) -> None:
    """Tells whom the job names; that somebody could not be told is said, and fails nothing."""
    for name in job.notify.get(event, []):
        url = os.environ.get(found.notifications[name]["url_from"], "")
        if not url.startswith(("https://", "http://")):
            print(f"jobs: {name} was not told: {found.notifications[name]['url_from']} is not set")
            continue
        words = {"started": "has begun", "success": "has ended well", "error": "has failed"}[event]
        body = json.dumps({"text": f"Drydock: {job.name} on {environment} {words}."}).encode()
        request = urllib.request.Request(  # noqa: S310  # http and https only, see above
            url, body, {"Content-Type": "application/json"}
        )
        try:
            urllib.request.urlopen(request, timeout=10).close()  # noqa: S310
        except (OSError, urllib.error.URLError, ValueError) as error:
            print(f"jobs: {name} was not told: {error}", file=sys.stderr)
