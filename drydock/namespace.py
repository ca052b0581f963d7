"""A socket that listens inside a container's network, served by this process."""

import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Callable

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
