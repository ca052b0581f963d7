"""Every runbook stops with a sentence, before any AWS call, when its inputs can't be right."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).resolve().parent.parent.parent
RUNBOOKS = sorted(path.stem for path in (PROJECT / "runbooks").glob("*.yml"))
# Open alone: what the preflight before it refuses is tested with the playbooks.
PLAYBOOK = """
- name: Open a runbook
  hosts: hello
  gather_facts: false
  environment: "{{ operator_environment }}"
  vars:
    runbook_name: %s
    runbook_dir: %s/runbooks
    project_dir: %s
  tasks:
    - name: Open
      ansible.builtin.include_role:
        name: runbook
        tasks_from: open
"""


def _run(playbook: Path | str, *arguments: str, inventory: str, home: Path) -> tuple[int, str]:
    """Runs a playbook in a shell that knows nothing of AWS; returns its exit and its words."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    done = subprocess.run(
        [PROJECT / ".venv/bin/ansible-playbook", "-i", f"inventories/{inventory}", playbook,
         *arguments],
        cwd=PROJECT,
        env={
            **kept,
            "HOME": str(home),
            "DRYDOCK_HOME": str(home / ".drydock"),
            "DRYDOCK_PORT": "1",  # nothing listens there
            "AWS_EC2_METADATA_DISABLED": "true",
            "ANSIBLE_FORCE_COLOR": "false",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
    )  # fmt: skip
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def _opened(runbook: str, home: Path, *arguments: str) -> str:
    """What Open says to these arguments, which it must refuse before it asks AWS anything."""
    playbook = home / "open.yml"
    playbook.write_text(PLAYBOOK % (runbook, PROJECT, PROJECT))
    code, said = _run(playbook, *arguments, inventory="local", home=home)
    assert code == 2, said
    assert "Nothing was changed" in said, said[-2000:]
    assert "AWS does not answer" not in said
    assert "Take the lock" not in said
    return said


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_an_unknown_input_is_named_with_the_known_ones(runbook: str, tmp_path: Path) -> None:
    said = _opened(runbook, tmp_path, "-e", "frobnicate=1")
    assert f"Runbook {runbook}: frobnicate is no input of this runbook" in said
    for name in yaml.safe_load((PROJECT / f"runbooks/meta/{runbook}.yml").read_text())["inputs"]:
        assert name in said


@pytest.mark.parametrize(
    ("runbook", "given", "words"),
    [
        ("high-5xx", "max_share=lots", ["max_share", "float"]),
        ("high-5xx", "max_share=0.9", ["max_share=0.9 must be", "at most 0.5"]),
        ("high-5xx", "max_shar=0.2", ["did you mean max_share?"]),
        ("failover-drill", "target=moon", ["target", "database, cache, both", "moon"]),
        ("failover-drill", "clients=3", ["target"]),
        ("db-connections-exhausted", "max_ended=0", ["max_ended=0 must be at least 1"]),
    ],
)
def test_a_wrong_input_is_named(runbook: str, given: str, words: list[str], tmp_path: Path) -> None:
    said = _opened(runbook, tmp_path, "-e", given)
    for word in words:
        assert word in said


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_an_account_is_not_touched_without_credentials(runbook: str, tmp_path: Path) -> None:
    code, said = _run(f"runbooks/{runbook}.yml", inventory="prod", home=tmp_path)
    assert code != 0
    for words in ("prod", "no AWS credentials", "Nothing was changed"):
        assert words in said, said[-2000:]
    assert "Take the lock" not in said
