"""Every job, as `make job` runs it by ansible-runner: on the whole platform, as it is by default.

A rehearsal is the default of whatever changes something, so none of them may change anything. The
same definitions are AWX's templates (tests/unit/awx).
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from drydock.settings import PROJECT

from .site import Site

_DEFINED = {
    name: job
    for kind in ("playbooks", "runbooks")
    for name, job in yaml.safe_load((PROJECT / f"jobs/{kind}.yml").read_text()).items()
}
# What a job is given: required fields, and one stack or workload where all would say no more.
_FIELDS = {
    "plan": ["limit=foundation"],
    "provision": ["limit=foundation"],
    "deploy": ["limit=hello"],
    "rollback": ["limit=hello"],
    "drift": ["limit=foundation"],
    "trace": ["trace_id=1-5759e988-bd862e3fe1be46a994272793"],
    "failover-drill": ["target=both"],
    "ecs-tasks-flapping": ["workload=hello"],
    "high-5xx": ["workload=hello"],
}
# There are no nodes here; what both do to nodes is in tests/site/drills/test_solana_fleet.py.
_REFUSED = dict.fromkeys(
    ("configure-solana", "upgrade-solana"), "No Solana node of local was found"
)


class Ran(NamedTuple):
    """A job's exit code, all that it printed, and the folder with ansible-runner's artifacts."""

    code: int
    output: str
    artifacts: Path


def _run(site: Site, name: str) -> Ran:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    runs = site.cloud.settings.home / "jobs/local" / name
    before = set(runs.glob("run-*"))
    done = subprocess.run(
        [sys.executable, "scripts/jobs.py", "run", name, "local", *_FIELDS.get(name, [])],
        cwd=PROJECT,
        env={**kept, "AWS_EC2_METADATA_DISABLED": "true", "ANSIBLE_FORCE_COLOR": "false"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    (private,) = set(runs.glob("run-*")) - before
    (artifacts,) = (private / "artifacts").iterdir()
    return Ran(done.returncode, done.stdout, artifacts)


@pytest.mark.parametrize("name", _DEFINED)
def test_a_job_runs_by_ansible_runner_and_changes_nothing(site: Site, name: str) -> None:
    mark = site.mark()
    ran = _run(site, name)
    words = _REFUSED.get(name)
    assert (ran.code == 0) is (words is None), ran.output[-3000:]
    assert (words or "") in " ".join(ran.output.split())
    assert site.changes_since(mark) == []
    assert int((ran.artifacts / "rc").read_text()) == ran.code
    events = [json.loads(path.read_text()) for path in (ran.artifacts / "job_events").iterdir()]
    assert "playbook_on_stats" in {event["event"] for event in events}
    # ansible-runner notes the environment there, credentials and all.
    assert not (ran.artifacts / "command").exists()
