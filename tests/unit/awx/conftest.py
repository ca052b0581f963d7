"""The scripts of the jobs, and a project that is small enough to be broken."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(PROJECT / "scripts"))

import jobs_definitions  # noqa: E402


@pytest.fixture(scope="session")
def found() -> jobs_definitions.Definitions:
    """The project's own definitions."""
    return jobs_definitions.load()


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A project of two jobs, a runbook and a workflow, with copies of what jobs.py reads."""
    for folder in ("jobs", "awx", "playbooks", "runbooks/meta", "inventories/common/vars"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("inventories/common/vars/environments.yml", "awx/controller.yml", "ansible.cfg"):
        shutil.copy(PROJECT / name, tmp_path / name)
    for environment in ("local", "dev", "staging", "prod"):
        (tmp_path / "inventories" / environment).mkdir()
        (tmp_path / "inventories" / environment / "hosts.yml").write_text("all: {hosts: {}}\n")
    play = {
        "name": "Show",
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": [
            {
                "name": "Show",
                "ansible.builtin.assert": {
                    "that": "size | default(1) | int < 5",
                    "success_msg": "check={{ ansible_check_mode }} size={{ size | default(0) }}",
                },
            }
        ],
    }
    for name in ("playbooks/look.yml", "playbooks/change.yml", "runbooks/mend.yml"):
        (tmp_path / name).write_text(yaml.safe_dump([play]))
    (tmp_path / "runbooks/meta/mend.yml").write_text(
        yaml.safe_dump({"title": "It is broken", "inputs": {}})
    )
    write(tmp_path, "shared", lambda _: yaml.safe_load((PROJECT / "jobs/shared.yml").read_text()))
    write(tmp_path, "shared", lambda shared: {**shared, "not_jobs": {}})
    size = {"type": "int", "description": "How many.", "default": 1, "minimum": 1, "maximum": 9}
    rule = "DTSTART;TZID=Europe/Berlin:20260105T063000 RRULE:FREQ=DAILY;INTERVAL=1"
    daily = {"name": "daily", "environments": ["dev"], "rrule": rule, "late": "skip"}
    jobs = {
        "look": {
            "description": "Looks",
            "playbook": "playbooks/look.yml",
            "changes": False,
            "survey": {"size": size},
            "schedules": [{**daily, "values": {"size": 2}}],
        },
        "change": {
            "description": "Changes",
            "playbook": "playbooks/change.yml",
            "changes": True,
            "limit": True,
            "approval": ["prod"],
            "survey": {"size": size},
        },
    }
    write(tmp_path, "playbooks", lambda _: jobs)
    write(tmp_path, "runbooks", lambda _: {"mend": {}})
    steps = [
        {"job": "look"},
        {"approval": "Go on", "environments": ["prod"]},
        {"job": "change", "values": {"check": False}},
    ]
    write(tmp_path, "workflows", lambda _: {"both": {"description": "Both", "steps": steps}})
    return tmp_path


def write(project: Path, name: str, change: Callable[[Any], Any]) -> None:
    """Writes a file of jobs/ anew, from what it held."""
    path = project / f"jobs/{name}.yml"
    before = yaml.safe_load(path.read_text()) if path.exists() else None
    path.write_text(yaml.safe_dump(change(before), sort_keys=False))
