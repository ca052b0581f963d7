"""One run at a time per environment; the dead don't hold on, the living are not robbed."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.drydock.ops.plugins.module_utils import runs
from ansible_collections.drydock.ops.plugins.module_utils.runs import Run
from ansible_collections.drydock.ops.plugins.modules.environment_lock import (
    EnvironmentLock,
    LockRefused,
)

HERE = Run.current()


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """A living process that is not this one."""
    started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield started
    started.kill()
    started.wait()


def other(process: subprocess.Popen[bytes], **fields: Any) -> Run:
    """Return the run that a process on this machine is."""
    values = {"pid": process.pid, "started": runs.process_start(process.pid), **fields}
    return dataclasses.replace(HERE, **values)


def lock(table: Any, run: Run = HERE, work_dir: str = "/nowhere") -> EnvironmentLock:
    return EnvironmentLock(table, "dev", run, work_dir)


def test_a_free_lock_is_taken_renewed_and_given_back(table: Any) -> None:
    mine = lock(table)
    assert mine.acquire("provision", 60)["changed"]
    held = mine.read()
    assert held["purpose"] == "provision"
    assert 3500 < held["expires"] - held["acquired"] <= 3600
    assert not mine.acquire("deploy", 60)["changed"]
    assert mine.read()["acquired"] == held["acquired"]
    assert mine.release()
    assert mine.read() == {}
    assert not mine.release()


def test_a_living_holder_is_named_in_the_refusal(table: Any, process: Any) -> None:
    holder = other(process)
    lock(table, holder).acquire("provision", 60)
    with pytest.raises(LockRefused) as refused:
        lock(table).acquire("deploy", 60)
    text = str(refused.value)
    for part in ("dev/operations", holder.name, "provision", "nothing was changed", "expires"):
        assert part in text
    assert not lock(table).release()
    assert lock(table).read()["run"] == holder


def test_a_dead_holder_of_this_machine_is_followed(table: Any, process: Any) -> None:
    lock(table, other(process)).acquire("provision", 60)
    process.kill()
    process.wait()
    answer = lock(table).acquire("deploy", 60)
    assert answer["taken_over"]["reason"] == "ended"
    assert lock(table).read()["run"] == HERE


def test_a_killed_holder_that_nobody_has_buried_is_dead(table: Any, process: Any) -> None:
    lock(table, other(process)).acquire("provision", 60)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert lock(table).acquire("deploy", 60)["taken_over"]["reason"] == "ended"


def test_a_reused_pid_is_not_taken_for_the_holder(table: Any, process: Any) -> None:
    lock(table, other(process, started="1")).acquire("provision", 60)
    assert lock(table).acquire("deploy", 60)["taken_over"]["reason"] == "ended"


@pytest.mark.parametrize(
    "fields",
    [
        {"boot": "another", "machine": "another"},
        {"boot": "another", "machine": ""},
        {"boot": "another", "host": "another"},
        {"namespace": "pid:[1]", "started": "1"},
        {"boot": ""},
    ],
)
def test_a_holder_elsewhere_is_left_alone_until_its_lease_ends(
    table: Any, process: Any, fields: dict[str, str]
) -> None:
    lock(table, other(process, **fields)).acquire("provision", 60)
    with pytest.raises(LockRefused):
        lock(table).acquire("deploy", 60)
    lock(table, other(process, **fields)).acquire("provision", 0)
    time.sleep(1.1)
    assert lock(table).acquire("deploy", 60)["taken_over"]["reason"] == "expired"


def test_a_machine_that_was_started_again_frees_its_locks(table: Any, process: Any) -> None:
    if not HERE.machine:
        pytest.skip("this machine has no /etc/machine-id")
    lock(table, other(process, boot="before")).acquire("provision", 60)
    assert lock(table).acquire("deploy", 60)["taken_over"]["reason"] == "ended"


def test_a_terraform_that_outlived_its_run_is_waited_for(
    table: Any, process: Any, tmp_path: Path
) -> None:
    program = tmp_path / "terraform"
    program.symlink_to(sys.executable)
    orphan = subprocess.Popen(
        [program, "-c", "import time; time.sleep(60)"],
        env={**os.environ, "TF_DATA_DIR": str(tmp_path / "dev" / "data")},
    )
    try:
        lock(table, other(process, started="1")).acquire("provision", 60)
        deadline = time.monotonic() + 10
        while not runs.terraform_processes(str(tmp_path)) and time.monotonic() < deadline:
            time.sleep(0.05)
        with pytest.raises(LockRefused, match=rf"process {orphan.pid}, .*dev/data"):
            lock(table, work_dir=str(tmp_path / "dev")).acquire("deploy", 60)
        other_environment = lock(table, work_dir=str(tmp_path / "prod"))
        assert other_environment.acquire("deploy", 60)["taken_over"]["reason"] == "ended"
    finally:
        orphan.kill()
        orphan.wait()


def test_of_two_that_see_the_same_dead_holder_one_wins(
    table: Any, process: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock(table, other(process, started="1")).acquire("provision", 60)
    rival = lock(table, other(process))
    mine = lock(table)
    stale = mine.read()
    assert rival.acquire("deploy", 60)["taken_over"]
    seen = iter([stale])
    fresh = mine.read
    monkeypatch.setattr(mine, "read", lambda: next(seen, None) or fresh())
    with pytest.raises(LockRefused):
        mine.acquire("deploy", 60)
    assert fresh()["run"] == rival.run


def test_the_run_is_the_outermost_fork_of_ansible_playbook(tmp_path: Path) -> None:
    """A worker is a fork with the same command line; the shell above is not the run."""
    program = tmp_path / "ansible-playbook"
    code = (
        f"#!{sys.executable}\n"
        "import os, subprocess, sys\n"
        "print(os.getpid(), flush=True)\n"
        "if os.fork() == 0:\n"
        "    subprocess.run([sys.executable, '-c', sys.argv[1]])\n"
        "else:\n"
        "    os.wait()\n"
    )
    program.write_text(code)
    program.chmod(0o755)
    path = Path(runs.__file__)
    module = (
        "import importlib.util, sys;"
        f"spec = importlib.util.spec_from_file_location('runs', {str(path)!r});"
        "runs = importlib.util.module_from_spec(spec); sys.modules['runs'] = runs;"
        "spec.loader.exec_module(runs); print(runs.playbook_process())"
    )
    words = ["timeout", "60", program, module]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    run, found = done.stdout.split()
    assert run == found
