"""Who runs this: the identity of an ansible-playbook process, and whether one is still alive.

A process is known by machine, boot, PID namespace, PID and start time, so that neither a
reboot nor a reused PID is taken for the old process. Facts come from /proc (proc(5)); where
there is none, nothing can be known and a lease ends by its expiry alone.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import signal
import socket
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

PROC = Path("/proc")
MACHINE_ID = Path("/etc/machine-id")


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the third (state) on; empty when it is gone."""
    text = _read(PROC / str(pid) / "stat")
    # The second field is the command in parentheses and may hold spaces and parentheses.
    return text.rpartition(")")[2].split()


def process_start(pid: int) -> str:
    """Return the start time of a living process in ticks since boot; empty when it is gone."""
    fields = _stat(pid)
    if not fields or fields[0] in "ZX":
        return ""
    return fields[19]


def parent(pid: int) -> int:
    """Return the PID of the parent, 0 when there is none."""
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def moment(seconds: float | None = None) -> str:
    """Return a moment (seconds since the epoch; default: now) in UTC, to the millisecond."""
    when = datetime.now(UTC) if seconds is None else datetime.fromtimestamp(seconds, UTC)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def session() -> list[str]:
    """Return [ID, start time] of this process's session.

    Each worker of ansible-playbook leads a session of its own, in which its modules run, so the
    session tells what of a run is left when the run itself is gone.
    """
    leader = os.getsid(0)
    return [str(leader), process_start(leader)]


def session_members(sessions: Iterable[list[str]]) -> list[int]:
    """Return the PIDs of living processes of these sessions ([ID, start time of the leader])."""
    # Where the leader lives with another start time, its number was given anew.
    wanted = {leader for leader, started in sessions if process_start(int(leader)) in ("", started)}
    found = []
    for entry in PROC.glob("[0-9]*"):
        fields = _stat(int(entry.name))
        # Field 6 is the session.
        if fields and fields[3] in wanted and fields[0] not in "ZX":
            found.append(int(entry.name))
    return [pid for pid in found if pid != os.getpid()]


def end_sessions(sessions: Iterable[list[str]], seconds: float = 5) -> list[int]:
    """End what lives in these sessions (SIGTERM, and SIGKILL after some seconds).

    Returns the PIDs that were found alive. Only for sessions of a run that has ended.
    """
    sessions = list(sessions)
    found = session_members(sessions)
    for number, wait in ((signal.SIGTERM, seconds), (signal.SIGKILL, seconds)):
        left = session_members(sessions)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + wait
        while left and time.monotonic() < deadline:
            time.sleep(0.05)
            left = session_members(sessions)
    return found


def _is_playbook(pid: int) -> bool:
    """Return whether a process is Python running ansible-playbook (not, say, `timeout` of it)."""
    try:
        words = (PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    names = [Path(os.fsdecode(word)).name for word in words if not word.startswith(b"-")][:3]
    if not names or not names[0].startswith("python"):
        return names[:1] == ["ansible-playbook"]
    return names[1:2] == ["ansible-playbook"] or names[1:3] == ["ansible", "playbook"]


def playbook_process(pid: int | None = None) -> int:
    """Return the PID of the ansible-playbook run that started process pid (default: this one).

    Workers are forks with the same command line, so the last of an unbroken line of
    ansible-playbook processes is the run. Without one it is the topmost process but init.
    """
    pid = found = os.getpid() if pid is None else pid
    seen = False
    while pid > 1:
        if _is_playbook(pid):
            seen, found = True, pid
        elif seen:
            break
        else:
            found = pid
        pid = parent(pid)
    return found


@dataclass(frozen=True)
class Run:
    """Identity of one run; `started` is in ticks since boot, empty where /proc is missing."""

    user: str
    host: str
    machine: str
    boot: str
    namespace: str
    pid: int
    started: str

    @classmethod
    def current(cls) -> Run:
        """Return the identity of the ansible-playbook run that this process belongs to."""
        try:
            user = getpass.getuser()
        except (KeyError, OSError):  # a UID without a name, as in some containers
            user = str(os.getuid())
        try:
            namespace = str((PROC / "self/ns/pid").readlink())
        except OSError:
            namespace = ""
        pid = playbook_process()
        return cls(
            user=user,
            host=socket.gethostname(),
            machine=_read(MACHINE_ID),
            boot=_read(PROC / "sys/kernel/random/boot_id"),
            namespace=namespace,
            pid=pid,
            started=process_start(pid),
        )

    @property
    def name(self) -> str:
        """Return the run as people read it."""
        return f"{self.user}@{self.host} (process {self.pid})"

    def as_dict(self) -> dict[str, str | int]:
        return asdict(self)

    def is_known_dead(self, here: Run) -> bool:
        """Return whether this run has certainly ended, as seen by the run `here`.

        False also where that cannot be known, as for a run of another machine.
        """
        if not (here.boot and self.boot):
            return False
        if self.boot != here.boot:
            # The same machine, started again since: nothing of the old boot lives.
            return bool(self.machine) and (self.machine, self.host) == (here.machine, here.host)
        if self.namespace != here.namespace:
            return False
        return process_start(self.pid) != self.started


def terraform_processes(work_dir: str) -> list[tuple[int, str]]:
    """Return (PID, TF_DATA_DIR) of each running terraform whose TF_DATA_DIR is below work_dir.

    A run that was killed leaves its terraform behind, which goes on and still holds its
    state lock by right.
    """
    found = []
    for entry in PROC.glob("[0-9]*"):
        if _read(entry / "comm") != "terraform" or not process_start(int(entry.name)):
            continue
        try:
            variables = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        for variable in variables:
            name, _, value = os.fsdecode(variable).partition("=")
            if name == "TF_DATA_DIR" and Path(value).is_relative_to(work_dir):
                found.append((int(entry.name), value))
    return sorted(found)
