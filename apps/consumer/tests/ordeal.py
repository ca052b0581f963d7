"""Many events, poison among them, through workers that are killed and frozen meanwhile.

`test_ordeal.py` goes through it with thousands of events, benchmarks/pipeline.py with 50,000.
"""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from conftest import Place, Process, event

KEYS = 200
# Poison: types that EVENT_TYPES doesn't name before the fix.
STRANGE = ("swap", "mint")
FIX = {"EVENT_TYPES": ",".join(["logs", "slot", *STRANGE])}


def events(count: int, poison: int) -> list[dict]:
    """Events of all keys in turn, the slot growing; `poison` of them, evenly spread, strange."""
    found = []
    for number in range(count):
        nth = number * poison // count
        strange = (number + 1) * poison // count > nth
        more = {"type": STRANGE[nth % len(STRANGE)]} if strange else {}
        found.append(event(number, f"key{number % KEYS}", **more))
    return found


def reason(type_: str) -> str:
    """What a letter says of an event of a strange type."""
    return f"unknown type {type_!r}: EVENT_TYPES has logs, slot"


class Crew:
    """Workers of one place.

    make: gives a process that has not begun, out of its variables.
    """

    def __init__(self, place: Place, make: Callable[..., Process], **variables: str) -> None:
        self._variables = {**place.variables, "LOG_LEVEL": "error", **variables}
        self._make = make
        self._count = 0
        self.running: dict[str, Process] = {}

    async def start(self, count: int = 1) -> None:
        """So many more."""
        for _ in range(count):
            self._count += 1
            name = f"worker{self._count}"
            told = {**self._variables, "WORKER_ID": name}
            self.running[name] = await self._make(told).begin()

    async def kill_one(self) -> None:
        """kill -9 of a random one, and another in its place."""
        victim = random.choice(list(self.running))  # noqa: S311 - no secret
        await self.running.pop(victim).kill()
        await self.start()

    async def end(self) -> None:
        """kill -9 of all."""
        while self.running:
            await self.running.popitem()[1].kill()


class Endured(NamedTuple):
    """How it went.

    Attributes:
        rate: events per second, from the first that was seen dealt with to the last.
        killed: workers that were killed while events were left.
        taken: shards of the frozen worker that others took.
    """

    rate: float
    killed: int
    taken: int


async def dealt_with(place: Place) -> int:
    """Events that are applied, or laid aside."""
    return await place.sql.fetchval(
        "SELECT (SELECT count(*) FROM events.applied) + (SELECT count(*) FROM events.rejected)"
    )


async def endure(
    place: Place, crew: Crew, count: int, kills: int, freeze: bool, within: float
) -> Endured:
    """Returns once `count` events are dealt with.

    After each equal share of them a random worker is killed, `kills` in all; after the first of
    these shares the one with most shards is frozen, until others have its shards and half of the
    events are done. By what is done, not by the clock: a slow machine would bring nothing to life.

    Raises TimeoutError: not within so many seconds.
    """
    begin, seen = 0.0, 0
    killed, taken = 0, 0
    frozen: tuple[str, Process] | None = None
    async with asyncio.timeout(within):
        while (done := await dealt_with(place)) < count or frozen:
            if done and not seen:
                begin, seen = time.perf_counter(), done
            if freeze and done * (kills + 1) >= count and (most := _busiest(place, crew)):
                # Out of the crew, so that it isn't killed while it stands.
                frozen = (most, crew.running.pop(most))
                frozen[1].signal(signal.SIGSTOP)
                taken = place.owners().count(most)
                freeze = False
                await crew.start()
            if frozen and done * 2 >= count and frozen[0] not in place.owners():
                frozen[1].signal(signal.SIGCONT)
                crew.running[frozen[0]] = frozen[1]
                frozen = None
            if killed < kills and (killed + 1) * count <= done * (kills + 1) < (kills + 1) * count:
                await crew.kill_one()
                killed += 1
            await asyncio.sleep(0.05)
    return Endured((count - seen) / (time.perf_counter() - begin), killed, taken)


def _busiest(place: Place, crew: Crew) -> str | None:
    """The worker with most shards; none while nobody of the crew has one."""
    shards = Counter(owner for owner in place.owners() if owner in crew.running)
    return max(shards, key=shards.__getitem__, default=None)


class Outcome(NamedTuple):
    """What became of events. All but `applied` are faults.

    Attributes:
        lost: never applied, or applied without their effect.
        doubled: effects beyond one for each.
        disorder: applied before one that came earlier in their key.
    """

    applied: int
    lost: int
    doubled: int
    disorder: int


async def outcome(place: Place, sent: Sequence[dict], late: Sequence[dict] = ()) -> Outcome:
    """Of the events `sent`, and those of them that came `late`, out of the dead letters."""
    rows = await place.sql.fetch("SELECT id, key, slot FROM events.applied ORDER BY place")
    effects = {
        row["key"]: row["events"] for row in await place.sql.fetch("SELECT * FROM events.accounts")
    }
    found = Counter(row["id"] for row in rows)
    # Only what is due: an event that should have been refused is an effect too many.
    due = Counter(one["key"] for one in sent)
    differences = [effects.get(key, 0) - due[key] for key in due | effects.keys()]
    absent = sum(one["id"] not in found for one in sent)
    without_effect = -sum(difference for difference in differences if difference < 0)
    away, disorder, newest = {one["id"] for one in late}, 0, dict[str, int]()
    for row in rows:
        if row["id"] in away:
            continue
        disorder += row["slot"] <= newest.get(row["key"], -1)
        newest[row["key"]] = max(row["slot"], newest.get(row["key"], -1))
    return Outcome(
        applied=len(rows),
        lost=max(absent, without_effect),
        doubled=sum(difference for difference in differences if difference > 0),
        disorder=disorder,
    )


def strange(sent: Sequence[dict]) -> list[dict]:
    """Those that are refused before the fix."""
    return [one for one in sent if one["type"] in STRANGE]


async def redriven(place: Place, make: Callable[..., Process]) -> tuple[int, dict[str, Any]]:
    """Redrives all dead letters with the fix; returns the exit code and what it counted."""
    fixed = {**place.variables, **FIX, "LOG_LEVEL": "error"}
    code, lines = await (await make(fixed, "consumer.redrive").begin()).ended(300)
    return code, lines[-1]
