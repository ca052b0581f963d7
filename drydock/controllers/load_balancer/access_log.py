"""What HAProxy writes of each request, read as AWS's metrics count it.

Its log and not ``show stat``: those counters start anew with every reload. The log is a file
and not a socket: HAProxy drops what a socket's reader is too slow for, and a file can be read
in large pieces, at a few microseconds a request.

Source of what counts as what: "CloudWatch metrics for your Application Load Balancer".
"""

import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

FILE = "access.log"
# The descriptor that HAProxy inherits; a reload keeps it, so old processes still write.
DESCRIPTOR = 7
# ms since 1970, backend, server, status, termination state, ms to the target's answer (-1:
# none), ms to connect to it (-1: could not)
FORMAT = "%[date(0,ms)] %b %s %ST %ts %Tr %Tc"
_NO_SERVER = b"<NOSRV>"
_READ_BYTES = 4 << 20
_FREE_BYTES = 16 << 20


@dataclass
class Tally:
    """One second of one load balancer.

    Attributes:
        own: metric → count, of what no target group has a part in.
        groups: backend's name → metric → count.
        times: backend's name → seconds that its targets took to answer.
    """

    own: Counter[str] = field(default_factory=Counter)
    groups: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))


def tally(lines: Iterable[bytes]) -> dict[int, Tally]:
    """Second (epoch) → what happened in it; what is no request, or not whole, is left out."""
    kinds: Counter[tuple[bytes, ...]] = Counter()
    times: dict[tuple[bytes, bytes], list[float]] = defaultdict(list)
    for line in lines:
        words = line.split(b" ")
        # What HAProxy has to say of itself and of its servers is in there, too.
        if len(words) != 7 or not words[0].isdigit():
            continue
        at, backend, server, status, ending, answered, connected = words
        second = at[:-3]
        if answered != b"-1" and server != _NO_SERVER:
            times[second, backend].append(int(answered) / 1000)
            kinds[second, backend, b"target", status[:1], b"", b""] += 1
        else:
            chosen = b"none" if server == _NO_SERVER else b"chosen"
            kinds[second, backend, chosen, status, ending[:1], connected[:1]] += 1
    made: dict[int, Tally] = defaultdict(Tally)
    for (second, backend, *kind), number in kinds.items():
        if not backend.startswith(b"relay-"):  # the next process logs that request itself
            _add(made[int(second)], backend.decode(), kind, number)
    for (second, backend), values in times.items():
        if not backend.startswith(b"relay-"):
            made[int(second)].times[backend.decode()] += values
    return made


def _add(second: Tally, backend: str, kind: list[bytes], number: int) -> None:
    by, status, ending, connected = kind
    if by != b"none":  # AWS counts a request when a target has been chosen for it
        second.groups[backend]["RequestCount"] += number
    if by == b"target":
        second.groups[backend][f"HTTPCode_Target_{status.decode()}XX_Count"] += number
        return
    if by == b"chosen" and connected == b"-" and ending in b"Ss":
        second.groups[backend]["TargetConnectionErrorCount"] += number
    if ending == b"L":  # a rule's own answer
        name = "HTTP_Redirect_Count" if status[:1] == b"3" else "HTTP_Fixed_Response_Count"
        second.own[name] += number
    elif status[:1] == b"5":
        second.own["HTTPCode_ELB_5XX_Count"] += number
        second.own[f"HTTPCode_ELB_{status.decode()}_Count"] += number
    elif status[:1] == b"4" or ending == b"C":  # a client that left is AWS's 460
        second.own["HTTPCode_ELB_4XX_Count"] += number


class AccessLog:
    """Reads a load balancer's log file from where the last reading ended."""

    def __init__(self, path: Path):
        self._path, self._inode = path, 0
        self._offset = self._freed = 0

    def read(self) -> list[bytes]:
        """Whole lines that are new; none when there is no file (yet)."""
        try:
            with self._path.open("rb") as file:
                inode = self._path.stat().st_ino
                if inode != self._inode:  # HAProxy was started anew
                    self._inode, self._offset, self._freed = inode, 0, 0
                file.seek(self._offset)
                content = file.read(_READ_BYTES)
        except FileNotFoundError:
            return []
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        if self._offset - self._freed > _FREE_BYTES:
            self._free()
        return whole.splitlines()

    def _free(self) -> None:
        """Gives the disk back what was read; the file keeps its length, so that nothing that
        HAProxy writes meanwhile is lost."""
        subprocess.run(
            ["fallocate", "--punch-hole", "--offset=0", f"--length={self._offset}", self._path],
            capture_output=True,
            check=False,  # a file system without holes keeps the file
        )
        self._freed = self._offset
