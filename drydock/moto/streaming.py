"""What streams and queues have to tell CloudWatch."""

import threading
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from moto.backends import get_backend

from drydock.settings import ACCOUNT_ID


class Counted(NamedTuple):
    """One value of a stream's metric in AWS/Kinesis; ``at`` in epoch seconds."""

    region: str
    stream: str
    name: str
    value: float
    unit: str
    at: float


@dataclass(frozen=True)
class Depth:
    """How many messages of a queue can be received, are held by receivers, and wait for their
    delay."""

    region: str
    queue: str
    visible: int
    held: int
    delayed: int


# Held by whoever puts records, reads them, or splits and merges shards: in between a shard is not
# what it seems.
turn = threading.RLock()
# Whoever puts or gets records goes on at once; the meter reads these.
_counted: deque[Counted] = deque(maxlen=50_000)


def count(value: Counted) -> None:
    """Keeps a value for the meter."""
    _counted.append(value)


def take_counted() -> list[Counted]:
    """What was counted since the last call."""
    taken = []
    while _counted:
        taken.append(_counted.popleft())
    return taken


def depths() -> list[Depth]:
    """Every queue's depth now."""
    return [
        Depth(
            region,
            name,
            queue.approximate_number_of_messages,
            queue.approximate_number_of_messages_not_visible,
            queue.approximate_number_of_messages_delayed,
        )
        for region, backend in list(get_backend("sqs")[ACCOUNT_ID].items())
        for name, queue in list(backend.queues.items())
    ]
