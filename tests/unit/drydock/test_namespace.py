"""A command beside a container's first process; here it is this test's own child."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from drydock import namespace


@pytest.fixture
def part(tmp_path: Path):
    """A process with a folder and a variable of its own."""
    child = subprocess.Popen(
        ["/bin/sleep", "60"], cwd=tmp_path, env={"WORD": "a=b", "PATH": os.environ["PATH"]}
    )
    yield child
    child.kill()
    child.wait()


def test_a_command_has_the_folder_and_variables_of_the_process(part, tmp_path):
    script = 'printf %s "$WORD" > here; exit 7'
    assert namespace.execute(part.pid, ["/bin/sh", "-c", script], 10) == 7
    assert (tmp_path / "here").read_text() == "a=b"


def test_out_of_time_it_is_killed_with_all_that_it_began(part, tmp_path):
    script = "sleep 50 & echo $! > child; wait"
    assert namespace.execute(part.pid, ["/bin/sh", "-c", script], 1) == 124
    child = Path("/proc", (tmp_path / "child").read_text().strip(), "stat")
    deadline = time.monotonic() + 10
    while child.exists() and child.read_text().split()[2] != "Z":
        assert time.monotonic() < deadline, "its child lives on"
        time.sleep(0.02)


def test_beside_a_process_that_is_gone_nothing_runs(part):
    part.kill()
    part.wait()
    assert namespace.execute(part.pid, ["/bin/true"], 10) == 125


def test_a_frozen_group_is_seen_in_either_version(tmp_path):
    process = tmp_path / "proc"
    process.mkdir()
    for line, file, frozen, thawed in (
        ("7:freezer:/one", "freezer/one/freezer.state", "FROZEN\n", "THAWED\n"),
        ("0::/one", "one/cgroup.freeze", "1\n", "0\n"),
    ):
        (process / "cgroup").write_text(f"3:cpu:/one\n{line}\n")
        state = tmp_path / file
        state.parent.mkdir(parents=True)
        for text, wanted in ((frozen, True), (thawed, False)):
            state.write_text(text)
            assert namespace._paused(process, tmp_path) is wanted
