"""Inside a container from outside: a socket that listens there, a command that runs there."""

import ctypes
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from drydock.errors import DrydockError

_CLONE_NEWNET = 0x40000000  # sched.h


def listen(pid: int, address: str, port: int) -> socket.socket:
    """Listens at an address of a container's own loopback, which is given to it.

    Args:
        pid: a process of the container.

    Raises:
        DrydockError: the container is gone.
    """
    command = ["nsenter", f"--target={pid}", "--net", "ip", "address", "replace",
               f"{address}/32", "dev", "lo"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DrydockError(f"No address {address} in process {pid}: {done.stderr.strip()}")

    def make() -> socket.socket:
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
        made.listen(16)
        return made

    return _inside(pid, make)


def _inside(pid: int, make: Callable[[], socket.socket]) -> socket.socket:
    """Runs a function in a container's network namespace; what it opens stays there."""
    made: list[socket.socket] = []
    failed: list[OSError] = []

    def run() -> None:
        # Only this thread moves, and it ends here.
        try:
            namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
            try:
                if ctypes.CDLL(None, use_errno=True).setns(namespace, _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            finally:
                os.close(namespace)
            made.append(make())
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise DrydockError(f"Nothing can listen in process {pid}: {failed[0]}") from failed[0]
    return made[0]


def execute(pid: int, command: Sequence[str], timeout: float) -> int:
    """Runs a command with the files, network, user and environment of a container's process.

    As ``podman exec``, which costs a busy machine seconds before the command has begun; but in
    no control group of the container, so that its limits are not the command's.

    Args:
        pid: the container's first process.
        timeout: seconds; the command is killed with all that it began.

    Returns:
        Its exit code; 124 when the time ran out, 125 when the container is paused or gone.
    """
    process = Path(f"/proc/{pid}")
    try:
        if _paused(process):
            return 125
        status = dict(
            line.split(":\t", 1) for line in process.joinpath("status").read_text().splitlines()
            if ":\t" in line
        )  # fmt: skip
        variables = process.joinpath("environ").read_bytes().decode(errors="surrogateescape")
    except OSError:
        return 125
    user, group = (status[name].split()[1] for name in ("Uid", "Gid"))
    enter = [
        "/usr/bin/nsenter", f"--target={pid}", "--mount", "--uts", "--ipc", "--net", "--pid",
        "--wd", f"--setuid={user}", f"--setgid={group}", "--", *command,
    ]  # fmt: skip
    environment = dict(one.split("=", 1) for one in variables.split("\0") if "=" in one)
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        enter, env=environment, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
    ) as running:
        try:
            return running.wait(timeout)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
            return 124


def _paused(process: Path, root: Path = Path("/sys/fs/cgroup")) -> bool:
    """Whether a process's group is frozen. Raises OSError when the process is gone."""
    for line in process.joinpath("cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        with suppress(OSError):  # a root group has neither file
            if controllers == "freezer":
                return "FROZEN" in (root / "freezer" / path[1:] / "freezer.state").read_text()
            if not controllers and "1" in (root / path[1:] / "cgroup.freeze").read_text():
                return True
    return False
