"""The playbook that writes the jobs into AWX: rehearsed, applied, applied again."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import PROJECT, write
from .controller import TOKEN, Controller

SECRETS = {
    "DRYDOCK_DEV_AWS_ACCESS_KEY_ID": "dev-key",
    "DRYDOCK_DEV_AWS_SECRET_ACCESS_KEY": "secret-of-dev",
    "DRYDOCK_WEBHOOK": "https://hooks.example.org/secret-of-hook",
}


@pytest.fixture
def controller() -> Iterator[Controller]:
    with Controller() as api:
        yield api


def apply(
    project: Path, controller: Controller | None, *words: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CONTROLLER_", "TOWER_", "DRYDOCK_"))
    }
    where = (
        {"CONTROLLER_HOST": controller.url, "CONTROLLER_OAUTH_TOKEN": TOKEN} if controller else {}
    )
    return subprocess.run(
        [
            Path(sys.executable).parent / "ansible-playbook",
            PROJECT / "playbooks/awx-apply.yml",
            "-e",
            f"project_dir={project}",
            *words,
        ],
        cwd=PROJECT,
        env={**clean, **where, **environment, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=False,
    )


_STEPS = [
    {"approval": "Go on", "environments": ["dev", "prod"]},
    {"job": "change", "values": {"check": False}},
]


def _with_schedule(jobs: dict[str, Any]) -> dict[str, Any]:
    return {**jobs["change"], "schedules": jobs["look"]["schedules"]}


@pytest.fixture
def project(small: Path) -> Path:
    """The small project, for one environment with one credential."""
    (small / "scripts").mkdir()
    for path in (PROJECT / "scripts").glob("jobs*.py"):
        shutil.copy(path, small / "scripts")
    path = small / "awx/controller.yml"
    text = path.read_text().replace("environments: [dev, staging, prod]", "environments: [dev]")
    start = text.index("  nodes:")
    path.write_text(text[:start] + text[text.index("# How long an approval") :])
    # As few as show every kind of object: a module takes most of a second.
    write(small, "playbooks", lambda jobs: {"change": _with_schedule(jobs)})
    write(small, "runbooks", lambda _: {})
    write(small, "workflows", lambda found: {"both": {**found["both"], "steps": _STEPS}})
    for name in ("playbooks/look.yml", "runbooks/mend.yml"):
        (small / name).unlink()
    return small


def test_a_rehearsal_on_an_empty_controller(project: Path, controller: Controller) -> None:
    rehearsed = apply(project, controller, "--check", "--diff", **SECRETS)
    assert rehearsed.returncode == 0, rehearsed.stdout + rehearsed.stderr
    assert controller.writes == []
    assert "Not rehearsed, since AWX lacks what they refer to" in rehearsed.stdout


def test_applied_and_applied_again(project: Path, controller: Controller) -> None:
    applied = apply(project, controller, **SECRETS)
    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert controller.wrong == []
    job = controller.named("job_templates")["dev change"]
    assert (job["playbook"], job["job_type"]) == ("playbooks/change.yml", "check")
    question = controller.surveys[job["id"]]["spec"][0]
    shown = [question[key] for key in ("type", "min", "max", "default")]
    assert shown == ["integer", 1, 9, 1]
    nodes = controller.named("workflow_job_template_nodes")
    assert list(nodes) == ["1-approval", "2-change"]
    assert nodes["2-change"]["job_type"] == "run"
    approval = controller.objects["workflow_approval_templates"]
    assert nodes["1-approval"]["unified_job_template"] in approval
    after = controller.lists[nodes["1-approval"]["id"], "success_nodes"]
    assert after == [nodes["2-change"]["id"]]
    schedule = controller.named("schedules")["dev change daily"]
    assert (schedule["unified_job_template"], schedule["extra_data"]) == (job["id"], {"size": 2})

    before = len(controller.writes)
    again = apply(project, controller, **SECRETS)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "changed=0" in again.stdout, again.stdout
    assert len(controller.writes) == before

    told = applied.stdout + again.stdout
    assert not [secret for secret in ("secret-of-dev", "secret-of-hook", TOKEN) if secret in told]


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "credentials/dev aws is not in AWX, and DRYDOCK_DEV_AWS_ACCESS_KEY_ID, "),
        ({"CONTROLLER_OAUTH_TOKEN": ""}, "Set CONTROLLER_HOST (https://…) and CONTROLLER_OAUTH"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_written(
    project: Path, controller: Controller, environment: dict[str, str], words: str
) -> None:
    refused = apply(project, controller, **environment)
    assert refused.returncode == 2
    assert words in " ".join(refused.stdout.split())
    assert controller.writes == []
