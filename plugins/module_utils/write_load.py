"""A load of small writes that remembers what was acknowledged, and what it tells of an outage."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

# Between two tries while writes fail, in seconds: the resolution of a measured outage.
RETRY_SECONDS = 0.1


class Writer(Protocol):
    """One client's connection."""

    def write(self, number: int) -> bool:
        """Write a number that no other has; raise where it is not acknowledged.

        Return whether the acknowledgement is for good, so that no failover may lose it.
        """

    def close(self) -> None: ...


@dataclass(frozen=True)
class Ack:
    """An acknowledged write; safe: for good. Times by time.monotonic()."""

    number: int
    sent: float
    got: float
    safe: bool = True


class WriteLoad:
    """Several clients that write as fast as a pause between two writes lets them.

    A write that failed is not tried again: whether it was made is unknown, so it proves nothing.
    """

    def __init__(self, connect: Callable[[], Writer], clients: int = 4, pause: float = 0.02):
        """connect: may raise anything; it is tried again. pause: in seconds."""
        self.connect, self.pause = connect, pause
        self.acks: list[Ack] = []
        self.failures: dict[str, int] = {}
        self._numbers, self._lock = itertools.count(1), threading.Lock()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(clients)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float = 15) -> None:
        """End the clients; waits so long for writes under way."""
        self._ended.set()
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(timeout=max(0.0, end - time.monotonic()))

    def acknowledged(self) -> list[Ack]:
        """Return what is acknowledged so far, in the order of the answers."""
        with self._lock:
            return sorted(self.acks, key=lambda ack: ack.got)

    def _work(self) -> None:
        writer: Writer | None = None
        while not self._ended.is_set():
            with self._lock:
                number = next(self._numbers)
            try:
                writer = writer or self.connect()
                sent = time.monotonic()
                safe = writer.write(number)
                with self._lock:
                    self.acks.append(Ack(number, sent, time.monotonic(), safe))
                self._ended.wait(self.pause)
            except Exception as error:  # whatever a driver raises while its server is away
                with self._lock:
                    name = type(error).__name__
                    self.failures[name] = self.failures.get(name, 0) + 1
                _close(writer)
                writer = None
                self._ended.wait(RETRY_SECONDS)
        _close(writer)


def _close(writer: Writer | None) -> None:
    if writer is not None:
        with contextlib.suppress(Exception):
            writer.close()


def percentile(values: Iterable[float], share: float) -> float:
    """Return the value that a share (0 to 1) of all do not exceed; 0 for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def measure(acks: list[Ack], trigger: float) -> dict[str, Any]:
    """Return what a load met around a trigger (time.monotonic()).

    The outage is the longest time without an acknowledgement that ended after the trigger: from
    the last one before to the first one after, over all clients. Times in seconds, of writes in
    milliseconds. outage_seconds is None where nothing was acknowledged after the trigger;
    unsafe_seconds is the same of the acknowledgements that are for good.
    """
    longest, last, first = _gap(acks, trigger)
    unsafe, _, _ = _gap([ack for ack in acks if ack.safe], trigger)
    return {
        "outage_seconds": None if longest is None else round(longest, 2),
        "unsafe_seconds": None if unsafe is None else round(unsafe, 2),
        "last_before": moment(last),
        "first_after": moment(first),
        "writes": len(acks),
        "safe": sum(ack.safe for ack in acks),
        "before": _figures([ack for ack in acks if ack.got <= last]),
        "after": _figures([ack for ack in acks if ack.got >= first and longest is not None]),
    }


def _gap(acks: list[Ack], trigger: float) -> tuple[float | None, float, float]:
    """Return the longest gap that ended after the trigger, its begin and its end."""
    times = [ack.got for ack in acks]
    gaps = [
        (after - before, before, after)
        for before, after in itertools.pairwise(times)
        if after > trigger
    ]
    return max(gaps, default=(None, trigger, trigger))


def _figures(acks: list[Ack]) -> dict[str, Any]:
    took = [1000 * (ack.got - ack.sent) for ack in acks if ack.safe]
    return {
        "writes": len(acks),
        "p50_ms": round(percentile(took, 0.5), 1),
        "p99_ms": round(percentile(took, 0.99), 1),
    }


def curve(acks: list[Ack], begin: float, end: float, step: float = 1.0) -> list[dict[str, Any]]:
    """Return per step of time how many writes were acknowledged and their p99, also where none."""
    rows = []
    for index in range(max(1, int((end - begin) / step) + 1)):
        low = begin + index * step
        took = [1000 * (ack.got - ack.sent) for ack in acks if low <= ack.got < low + step]
        rows.append(
            {"at": moment(low), "writes": len(took), "p99_ms": round(percentile(took, 0.99), 1)}
        )
    return rows


def moment(monotonic: float) -> str:
    """Return a time of time.monotonic() in UTC, ISO 8601 with milliseconds."""
    when = datetime.fromtimestamp(time.time() - time.monotonic() + monotonic, UTC)
    return when.isoformat(timespec="milliseconds")
