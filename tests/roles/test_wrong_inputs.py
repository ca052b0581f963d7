"""Every playbook stops at its first task with a sentence, and before any AWS call, when what it
was given can't be right. No cloud runs here: a call to one would fail in another way."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent.parent
PLAYBOOKS = ("bootstrap", "provision", "deploy", "verify", "destroy", "site")


def _play(
    playbook: str,
    *arguments: str,
    inventory: str | Path = "inventories/local",
    path: Path | None = None,
    home: Path,
) -> subprocess.CompletedProcess:
    """Runs a playbook in a shell that knows nothing of AWS."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    return subprocess.run(
        [PROJECT / ".venv/bin/ansible-playbook", "-i", inventory, f"playbooks/{playbook}.yml",
         *arguments],
        cwd=PROJECT,
        env={
            **kept,
            **({"PATH": str(path)} if path else {}),
            "HOME": str(home),
            "DRYDOCK_HOME": str(home / ".drydock"),
            "DRYDOCK_PORT": "1",  # nothing listens there
            "AWS_EC2_METADATA_DISABLED": "true",
            "ANSIBLE_FORCE_COLOR": "false",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )  # fmt: skip


def _said(run: subprocess.CompletedProcess) -> str:
    """Output on one line: Ansible breaks sentences where its box ends."""
    return " ".join((run.stdout + run.stderr).split())


def _refused(run: subprocess.CompletedProcess, *words: str) -> None:
    said = _said(run)
    assert run.returncode != 0, said
    for word in words:
        assert word in said, f"{word!r} is not in: {said[-3000:]}"
    # Nothing after the first check has begun.
    assert "Take the lock" not in said
    assert "changed=1" not in said


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_an_unknown_environment_is_named_with_the_known_ones(playbook, tmp_path):
    run = _play(playbook, inventory="inventories/production", home=tmp_path)
    _refused(run, "production", "local", "dev", "staging", "prod")


@pytest.mark.parametrize("tags", ["health", "release,node", "none-of-ours"])
def test_tags_leave_out_no_check(tags, tmp_path):
    run = _play(
        "configure-solana", f"--tags={tags}", inventory="inventories/production", home=tmp_path
    )
    _refused(run, "production", "local", "dev", "staging", "prod")


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_without_credentials_an_account_is_not_touched(playbook, tmp_path):
    begun = time.monotonic()
    run = _play(playbook, inventory="inventories/dev", home=tmp_path)
    _refused(run, "dev", "no AWS credentials", "AWS_PROFILE", "Nothing was changed")
    assert time.monotonic() - begun < 60


def test_a_cloud_that_is_not_up_is_said_so(tmp_path):
    _refused(_play("provision", home=tmp_path), "127.0.0.1:1", "python -m drydock")


@pytest.mark.parametrize(
    ("cidr", "words"),
    [
        ("10.20.128.0/20", ["10.20.128.0/20", "overlaps", "dev"]),
        ("10.10.0.0/30", ["10.10.0.0/30"]),
        ("10.10.0.0/8", ["10.10.0.0/8"]),
        ("ten", ["ten"]),
    ],
)
def test_a_range_that_overlaps_or_is_none(cidr, words, tmp_path):
    _refused(_play("provision", "-e", f"vpc_cidr={cidr}", home=tmp_path), *words)


def _path_without(tool: str, folder: Path) -> Path:
    """A PATH that has every program of the present one but ``tool``."""
    folder.mkdir()
    for place in [str(PROJECT / ".venv/bin"), *os.environ["PATH"].split(":")]:
        for program in Path(place).glob("*") if Path(place).is_dir() else []:
            link = folder / program.name
            if program.name != tool and not link.exists():
                link.symlink_to(program)
    return folder


@pytest.mark.parametrize(
    ("playbook", "tool", "cure"),
    [("provision", "terraform", "make setup"), ("deploy", "podman", "apt-get install")],
)
def test_a_missing_tool_is_named_with_its_cure(playbook, tool, cure, tmp_path):
    path = _path_without(tool, tmp_path / "bin")
    _refused(_play(playbook, path=path, home=tmp_path), tool, cure)


def _inventory_with(tmp_path: Path, name: str, text: str) -> Path:
    """The local inventory with one more file."""
    copy = tmp_path / "inventories"
    shutil.copytree(PROJECT / "inventories", copy, symlinks=True)
    (copy / "common/hosts" / name).write_text(text)
    return copy / "local"


def test_a_workload_without_an_image_is_named_with_its_file_and_field(tmp_path):
    inventory = _inventory_with(
        tmp_path,
        "ghost.yml",
        "workloads: {hosts: {ghost: {workload: {port: 8080, path_patterns: [/g], priority: 7,\n"
        "  health_path: /, cpu: 256, memory: 512, desired_count: 1, min_count: 1, max_count: 2},\n"
        "  release: {}}}}\n",
    )
    _refused(_play("deploy", inventory=inventory, home=tmp_path), "ghost", "ghost.yml", "context")


def test_a_workload_whose_folder_has_no_dockerfile(tmp_path):
    inventory = _inventory_with(
        tmp_path,
        "ghost.yml",
        "workloads: {hosts: {ghost: {workload: {context: docs, port: 8080, path_patterns: [/g],\n"
        "  priority: 7, health_path: /, cpu: 256, memory: 512, desired_count: 1, min_count: 1,\n"
        "  max_count: 2}, release: {}}}}\n",
    )
    _refused(_play("deploy", inventory=inventory, home=tmp_path), "ghost", "docs", "Dockerfile")
