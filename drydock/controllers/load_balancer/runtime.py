"""HAProxy's admin socket, spoken to directly: what runs, and changes without a reload."""

import csv
import os
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from drydock.errors import DrydockError
from drydock.moto.elbv2 import CHECKING, HEALTHY, TargetHealth

SOCKET = "master.sock"
_ANSWER_SECONDS = 5
_RELOAD_SECONDS = 20


@dataclass(frozen=True)
class Server:
    """A server entry as a process sees it.

    Attributes:
        status: UP, DOWN, NOLB, MAINT or ``no check``, perhaps with a count such as ``UP 1/2``.
        check: the last health check's outcome, e.g. L7OK, L4CON, L7TOUT, L7STS.
        code: HTTP status of the last check, or empty.
        in_flight: requests (or TCP connections) that it is serving.
    """

    backend: str
    name: str
    status: str
    check: str
    code: str
    in_flight: int

    @property
    def closed(self) -> bool:
        return self.status.startswith("MAINT")

    @property
    def health(self) -> TargetHealth:
        """AWS's words for what the checks have found; NOLB is "not yet found healthy"."""
        if self.status.startswith("UP"):
            return HEALTHY
        if self.status.startswith("NOLB"):
            return CHECKING
        if self.check == "L7STS":
            text = f"Health checks failed with these codes: [{self.code}]"
            return TargetHealth("unhealthy", "Target.ResponseCodeMismatch", text)
        if self.check.endswith("TOUT"):
            return TargetHealth("unhealthy", "Target.Timeout", "Request timed out")
        return TargetHealth("unhealthy", "Target.FailedHealthChecks", "Health checks failed")


def workers(text: str) -> tuple[str, list[str]]:
    """(pid of the process that accepts, pids of those that only finish) from ``show proc``.

    Raises:
        OSError: none accepts.
    """
    new, _, old = text.partition("# old workers")
    pids = [re.findall(r"^(\d+)\s+worker", part, re.MULTILINE) for part in (new, old)]
    if not pids[0]:
        raise OSError("no worker runs")
    return pids[0][0], pids[1]


def servers(text: str) -> dict[tuple[str, str], Server]:
    """(backend, server) → entry, from ``show stat``."""
    lines = [line for line in text.lstrip("# \n").splitlines() if "," in line]
    return {
        (row["pxname"], row["svname"]): Server(
            row["pxname"], row["svname"], row["status"], row["check_status"] or "",
            row["check_code"] or "", int(row["scur"] or 0),
        )
        for row in csv.DictReader(lines)
    }  # fmt: skip


class Admin:
    """The master process's socket in a part's folder.

    Every method raises OSError when HAProxy doesn't answer.
    """

    def __init__(self, folder: Path):
        self._folder = folder

    def ask(self, commands: Iterable[str], timeout: float = _ANSWER_SECONDS) -> str:
        """Sends commands in order; returns all that came back."""
        # A socket's path may have 108 bytes only; a folder's descriptor shortens any path.
        folder = os.open(self._folder, os.O_PATH)
        try:
            with socket.socket(socket.AF_UNIX) as talk:
                talk.settimeout(timeout)
                talk.connect(f"/proc/self/fd/{folder}/{SOCKET}")
                talk.sendall("".join(f"{command}\n" for command in commands).encode())
                talk.shutdown(socket.SHUT_WR)
                return b"".join(iter(lambda: talk.recv(65536), b"")).decode(errors="replace")
        finally:
            os.close(folder)

    def reload(self) -> None:
        """Starts a process on the files as they are; the old one finishes what it has.

        Raises:
            DrydockError: HAProxy refused the configuration; the old process still serves.
        """
        said = self.ask(["reload"], _RELOAD_SECONDS)
        if "Success=1" not in said:
            alerts = re.findall(r"\[ALERT\][^:]*: (.*)", said)
            raise DrydockError(f"HAProxy refused its configuration: {'; '.join(alerts) or said}")


def opening(backend: str, server: str) -> list[str]:
    """Commands that open a closed server to health checks, but not yet to requests.

    ``state ready`` alone would make it UP at once. "stopping" takes no requests, becomes UP
    with the first good check and DOWN after ``fall`` bad ones: AWS's initial state.
    """
    name = f"{backend}/{server}"
    return [
        f"set server {name} state drain",
        f"enable health {name}",
        f"set server {name} health stopping",
        f"set server {name} state ready",
    ]


def closing(backend: str, server: str) -> str:
    """No new request and no check any more; what is in flight goes on."""
    return f"set server {backend}/{server} state maint"
