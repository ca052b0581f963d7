"""Events into Kinesis, in order per key.

PutRecords keeps no order and may take the second of two records and not the first. So a request
has at most one record of a key, and a key's next goes only after Kinesis has its last.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from listener import logs
from listener.aws import FAILED, Client
from listener.metrics import Metrics
from listener.settings import Settings

# What one PutRecords takes: records, and of its 5 MB enough that envelopes fit.
_RECORDS, _BYTES = 500, 4_000_000


class Stalled(Exception):
    """The queue stayed full for too long."""


@dataclass(frozen=True)
class _Mark:
    """All of the account's up to this slot lies before it in the queue."""

    slot: int


class Publisher:
    """A bounded queue and what empties it.

    Attributes:
        positions: account → slot up to which all is published.
    """

    def __init__(
        self, settings: Settings, kinesis: Client, metrics: Metrics,
        positions: dict[str, int], may: Callable[[], bool],
    ) -> None:  # fmt: skip
        self._settings = settings
        self._kinesis = kinesis
        self._metrics = metrics
        self._may = may
        self.positions = dict(positions)
        self._waiting: dict[str, deque[dict[str, Any] | _Mark]] = {}
        self._room = asyncio.Semaphore(settings.queue_max)
        self._something = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._log = logs.get(component="publish")

    async def put(self, event: dict[str, Any]) -> None:
        """Queues an event; waits while the queue is full. Raises Stalled after STALL_SECONDS."""
        try:
            # Not wait_for: until Python 3.12 it may forget that it was cancelled.
            async with asyncio.timeout(self._settings.stall_seconds):
                await self._room.acquire()
        except TimeoutError:
            raise Stalled from None
        self._metrics.backlog += 1
        self._add(event["key"], event)

    def mark(self, account: str, slot: int) -> None:
        """Once what is queued of the account is published, all of it up to `slot` is."""
        self._add(account, _Mark(slot))

    async def drained(self) -> None:
        """Returns when nothing waits."""
        await self._empty.wait()

    async def run(self) -> None:
        """Publishes what is queued, until cancelled."""
        pause = self._settings.retry_seconds
        while True:
            await self._something.wait()
            if not self._may():
                # Frozen or cut off: whether this is still the active one is not known here.
                await asyncio.sleep(0.1)
                continue
            heads = self._heads()
            if heads and not await self._send(heads):
                await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - spreads load
                pause = min(pause * 2, self._settings.retry_seconds_max)
            else:
                pause = self._settings.retry_seconds

    def _add(self, key: str, one: dict[str, Any] | _Mark) -> None:
        self._waiting.setdefault(key, deque()).append(one)
        self._empty.clear()
        self._something.set()

    def _heads(self) -> dict[str, bytes]:
        """The first event of each key, as bytes; marks before it are reached."""
        found: dict[str, bytes] = {}
        size = 0
        for key in list(self._waiting):
            queue = self._waiting[key]
            while queue and isinstance(queue[0], _Mark):
                slot = queue.popleft().slot
                self.positions[key] = max(slot, self.positions.get(key, 0))
            if not queue:
                del self._waiting[key]
                continue
            data = orjson.dumps(queue[0])
            if len(found) == _RECORDS or size + len(data) > _BYTES:
                break
            found[key] = data
            size += len(data)
        if not self._waiting:
            self._something.clear()
            self._empty.set()
        return found

    async def _send(self, heads: dict[str, bytes]) -> bool:
        """Whether Kinesis took all."""
        try:
            answer = await self._kinesis.call(
                "put_records", StreamName=self._settings.stream_name,
                Records=[{"PartitionKey": key, "Data": data} for key, data in heads.items()],
            )  # fmt: skip
        except FAILED as error:
            self._metrics.counts["PublishErrors"] += len(heads)
            self._log.warning("publish_failed", records=len(heads), reason=str(error))
            return False
        failed = 0
        for key, row in zip(heads, answer["Records"], strict=True):
            queue = self._waiting[key]
            if row.get("ErrorCode"):
                failed += 1
                reason = row["ErrorCode"]
                continue
            event = queue.popleft()
            # The next of a key waits behind the other keys, so that none starves.
            self._waiting[key] = self._waiting.pop(key)
            self._room.release()
            self._metrics.backlog -= 1
            self._metrics.counts["Published"] += 1
            self._metrics.accounts[key] += 1
            logs.event(self._log, "published", event)
        if failed:
            self._metrics.counts["PublishErrors"] += failed
            self._log.warning("publish_again", records=failed, reason=reason)
        return not failed
