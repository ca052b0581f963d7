"""Records of one shard into PostgreSQL: in order, each effect once, none skipped.

A batch is one transaction: fence, unique ids, effects. If its data can't be applied it is halved,
the left half first, until the bad record stands alone; that one goes to the dead letters and those
behind it go on, also those of its key (their effects are sums and newest values; README.md).
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import asyncpg

from consumer import logs
from consumer.aws import FAILED
from consumer.database import TRANSIENT, Database, describe
from consumer.dead_letters import DeadLetters
from consumer.effects import Effect
from consumer.envelope import Envelope, Poison, Record, read, trace_of
from consumer.metrics import Metrics
from consumer.settings import Settings

T = TypeVar("T")

# What no further try mends, as long as data and code are what they are.
PERMANENT = (Poison, asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)
_FRESH = """
INSERT INTO events.applied (id, key, type, slot, shard, sequence)
SELECT id, key, type, slot, shard, sequence
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[])
    WITH ORDINALITY AS given (id, key, type, slot, shard, sequence, place)
ORDER BY place
ON CONFLICT (id) DO NOTHING
RETURNING id
"""
_EFFECT = """
INSERT INTO events.accounts AS known (key, events, failed, compute_units, last_slot, last_event)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (key) DO UPDATE SET
    events = known.events + excluded.events,
    failed = known.failed + excluded.failed,
    compute_units = known.compute_units + excluded.compute_units,
    last_slot = greatest(known.last_slot, excluded.last_slot),
    last_event = CASE WHEN excluded.last_slot >= known.last_slot
                      THEN excluded.last_event ELSE known.last_event END
"""
_CLAIM = """
INSERT INTO events.fences AS known VALUES ($1, $2)
ON CONFLICT (shard) DO UPDATE SET fence = excluded.fence WHERE known.fence <= excluded.fence
RETURNING fence
"""
_REJECT = """
INSERT INTO events.rejected (shard, sequence, reason, attempts) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING RETURNING shard
"""


class Fenced(Exception):
    """Another worker has a newer lease of the shard: nothing of this one's may be written."""


async def write(
    connection: asyncpg.pool.PoolConnectionProxy, pairs: Sequence[tuple[Record, Envelope]]
) -> list[Envelope]:
    """The events' effects, of those not seen before, which are returned in their order.

    Raises Poison: one of them can't have an effect.
    """
    first = {}
    for record, event in pairs:
        first.setdefault(event.id, (record, event))
    columns = zip(
        *(
            (event.id, event.key, event.type, event.slot, record.shard, record.sequence)
            for record, event in first.values()
        ),
        strict=True,
    )
    fresh = {row["id"] for row in await connection.fetch(_FRESH, *map(list, columns))}
    events = [event for _, event in first.values() if event.id in fresh]
    effects: dict[str, Effect] = {}
    for event in events:
        effects.setdefault(event.key, Effect()).add(event)
    # In one order everywhere, so that two writers never wait for each other in a circle.
    for key, effect in sorted(effects.items()):
        await connection.execute(
            _EFFECT, key, effect.events, effect.failed, effect.compute_units,
            effect.last_slot, effect.last_event,
        )  # fmt: skip
    return events


class Applier:
    """Applies what was read of one shard, under one lease of it."""

    def __init__(
        self, settings: Settings, database: Database, dead: DeadLetters, metrics: Metrics,
        shard: str, fence: int,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._database = database
        self._dead = dead
        self._metrics = metrics
        self._shard = shard
        self._fence = fence
        self._log = logs.get(component="apply", shard=shard)

    async def claim(self) -> None:
        """Shuts out who had the shard before. Raises Fenced: somebody came after."""
        await self._patiently(self._claim)

    async def _claim(self) -> None:
        async with self._database.transaction() as connection:
            if await connection.fetchval(_CLAIM, self._shard, self._fence) is None:
                raise Fenced

    async def apply(self, records: Sequence[Record]) -> None:
        """Returns once each record is applied or among the dead letters.

        Raises Fenced: the shard is another worker's; what was applied so far stays.
        """
        good: list[tuple[Record, Envelope]] = []
        for record in records:
            try:
                good.append((record, read(record, self._settings.event_types)))
            except Poison as poison:
                await self._halve(good)
                good = []
                await self._reject(record, str(poison), 1)
        await self._halve(good)

    async def _halve(self, pairs: Sequence[tuple[Record, Envelope]]) -> None:
        if not pairs:
            return
        try:
            await self._patiently(lambda: self._transaction(pairs))
        except Fenced:
            raise
        except Exception as error:
            known = isinstance(error, PERMANENT)
            if len(pairs) > 1:
                self._log.warning("batch_halved", records=len(pairs), reason=describe(error))
                middle = len(pairs) // 2
                await self._halve(pairs[:middle])
                await self._halve(pairs[middle:])
                return
            reason = str(error) if isinstance(error, Poison) else describe(error)
            attempts = 1 if known else self._settings.attempts
            await self._reject(pairs[0][0], reason, attempts)

    async def _transaction(self, pairs: Sequence[tuple[Record, Envelope]]) -> None:
        async with self._database.transaction() as connection:
            await self._hold_fence(connection)
            fresh = await write(connection, pairs)
        tally = self._metrics.of(self._shard)
        tally.applied += len(fresh)
        tally.duplicates += len(pairs) - len(fresh)
        tally.backlog = max(0, tally.backlog - len(pairs))
        for event in fresh:
            logs.event(self._log, "applied", event)

    async def _reject(self, record: Record, reason: str, attempts: int) -> None:
        # The row waits for the queue's answer: only a death in between sends a letter twice, and
        # neither can be missed.
        async def send() -> bool:
            async with self._database.transaction() as connection:
                await self._hold_fence(connection)
                new = await connection.fetchval(
                    _REJECT, record.shard, record.sequence, reason, attempts
                )
                if new is not None:
                    await self._dead.send(record, reason, attempts)
                return new is not None

        sent = await self._patiently(send, forever=True)
        tally = self._metrics.of(self._shard)
        tally.rejected += sent
        tally.backlog = max(0, tally.backlog - 1)
        self._log.error(
            "rejected", **trace_of(record), sequence=record.sequence, reason=reason,
            attempts=attempts,
        )  # fmt: skip

    async def _hold_fence(self, connection: asyncpg.pool.PoolConnectionProxy) -> None:
        # Held until the commit, so that a successor's claim waits for it or comes first.
        held = await connection.fetchval(
            "SELECT fence FROM events.fences WHERE shard = $1 FOR SHARE", self._shard
        )
        if held != self._fence:
            raise Fenced

    async def _patiently(self, act: Callable[[], Awaitable[T]], forever: bool = False) -> T:
        """What `act` returns, tried again without end while a service is away.

        Other failures are tried ATTEMPTS times (`forever`: without end) and then raised; what
        the data itself is refused for, at once.
        """
        pause, failures = self._settings.retry_seconds, 0
        while True:
            try:
                return await act()
            except (Fenced, *PERMANENT):
                raise
            except Exception as error:
                if not isinstance(error, (*TRANSIENT, *FAILED)):
                    failures += 1
                    if failures >= self._settings.attempts and not forever:
                        raise
                self._metrics.of(self._shard).retries += 1
                self._log.warning("try_again", seconds=round(pause, 2), reason=describe(error))
                await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - spreads load
                pause = min(pause * 2, self._settings.retry_seconds_max)
