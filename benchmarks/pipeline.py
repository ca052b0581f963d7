"""The consumer's events per second beside what the stream gives without it, and what it endures.

Run with the Python of an environment of apps/consumer/requirements-dev.txt, the TEST_DATABASE_
variables that apps/consumer/README.md lists, and AWS as boto3 finds it (AWS_ENDPOINT_URL: an
embedded cloud or a moto server):

    python benchmarks/pipeline.py [--events 50000] [--shards 8] [--workers 3] [--kills 10]
        [--poison 100]

Four rows: the stream alone; the consumer undisturbed; the ordeal of the consumer's own tests
(apps/consumer/tests/ordeal.py: workers killed with -9 at random and replaced, the one with most
shards frozen and woken, poison among the events); and what it left in the dead letters, redriven
after the fix. Rates count from the first event that was dealt with, so without the start of the
first workers. Everything is made for the run and removed. Exits 1 when an event was lost, doubled
or out of order, or a poisoned one had another end than the dead letters and the redrive.
"""

import argparse
import asyncio
import base64
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

APP = Path(__file__).parents[1] / "apps" / "consumer"
sys.path[:0] = [str(APP), str(APP / "tests")]

import ordeal  # noqa: E402
from conftest import Place, Process, new_database  # noqa: E402
from consumer import logs  # noqa: E402
from consumer.schema import ensure_schema  # noqa: E402
from ordeal import Crew, Outcome  # noqa: E402

# moto slows with the records in a shard.
_MOST_IN_A_SHARD = 20_000
_HOUR = 3600


def environment() -> dict[str, str]:
    """The database's variables; exits with a sentence when a TEST_ variable is absent."""
    names = [f"DATABASE_{part}" for part in ("HOST", "PORT", "NAME", "USER", "PASSWORD")]
    if absent := [f"TEST_{name}" for name in names if not os.environ.get(f"TEST_{name}")]:
        sys.exit(f"Set {', '.join(absent)}: see apps/consumer/README.md. Nothing was measured.")
    given = {name: os.environ[f"TEST_{name}"] for name in names}
    return {**given, "DATABASE_SSL": os.environ.get("TEST_DATABASE_SSL", "disable")}


@asynccontextmanager
async def new_place(shards: int) -> AsyncIterator[Place]:
    """A stream, a lease table, a queue and a database with the schema; removed at the end."""
    async with new_database(environment(), "template1") as database:
        found = Place(database, shards)
        try:
            found.kinesis.get_waiter("stream_exists").wait(StreamName=found.name)
            await ensure_schema(found.settings())
            found.sql = await asyncpg.connect(**found.settings().database_arguments())
            yield found
            await found.sql.close()
        finally:
            found.kinesis.delete_stream(StreamName=found.name, EnforceConsumerDeletion=True)
            found.dynamodb.delete_table(TableName=found.name)
            found.sqs.delete_queue(QueueUrl=found.queue)


def put(place: Place, sent: Sequence[dict]) -> float:
    """Publishes all; returns events per second."""
    begin = time.perf_counter()
    place.put(*sent)
    return len(sent) / (time.perf_counter() - begin)


def get(place: Place, count: int) -> float:
    """Reads all shards at once, doing nothing with what comes; returns events per second."""

    def read(shard: str) -> None:
        iterator = place.kinesis.get_shard_iterator(
            StreamName=place.name, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        rows = [None]
        while rows:
            answer = place.kinesis.get_records(ShardIterator=iterator, Limit=500)
            rows, iterator = answer["Records"], answer["NextShardIterator"]

    shards = [one["ShardId"] for one in place.kinesis.list_shards(StreamName=place.name)["Shards"]]
    begin = time.perf_counter()
    with ThreadPoolExecutor(len(shards)) as threads:
        list(threads.map(read, shards))
    return count / (time.perf_counter() - begin)


def row(name: str, rate: float, ceiling: float, found: Outcome | None = None) -> None:
    """A line of the table."""
    what = [f"{count:,}" for count in found] if found else ["", "", "", ""]
    cells = [name, *what, f"{rate:,.0f}", f"{rate / ceiling:.0%}"]
    print(f"| {' | '.join(cells)} |", flush=True)


def letters_right(place: Place, poison: Sequence[dict]) -> bool:
    """Whether each poisoned event, and nothing else, is a dead letter with its own reason."""
    found = set()
    for letter in place.letters():
        event = json.loads(base64.b64decode(letter["data"]))
        found.add((event["id"], letter["reason"]))
    return found == {(one["id"], ordeal.reason(one["type"])) for one in poison}


async def undisturbed(chosen: argparse.Namespace) -> tuple[float, list[Outcome]]:
    """The stream alone, then the consumer; returns the ceiling and the outcome."""
    async with new_place(chosen.shards) as place:
        sent = ordeal.events(chosen.events, 0)
        rate, before = put(place, sent), get(place, chosen.events)
        crew = Crew(place, Process)
        try:
            await crew.start(chosen.workers)
            ran = await ordeal.endure(place, crew, chosen.events, 0, freeze=False, within=_HOUR)
        finally:
            await crew.end()
        found = await ordeal.outcome(place, sent)
        # Before and after: on a busy machine one of them may be slowed by others.
        ceiling = max(before, get(place, chosen.events))
    row("put alone", rate, ceiling)
    row("get alone: the ceiling", ceiling, ceiling)
    row(f"{chosen.workers} workers", ran.rate, ceiling, found)
    return ceiling, [found]


async def disturbed(chosen: argparse.Namespace, ceiling: float) -> tuple[list[Outcome], list[str]]:
    """The ordeal and the redrive; returns their outcomes, and what else was wrong."""
    async with new_place(chosen.shards) as place:
        sent = ordeal.events(chosen.events, chosen.poison)
        poison = ordeal.strange(sent)
        good = [one for one in sent if one["type"] not in ordeal.STRANGE]
        place.put(*sent)
        crew = Crew(place, Process, LEASE_SECONDS="3")
        try:
            await crew.start(chosen.workers)
            ran = await ordeal.endure(
                place, crew, chosen.events, chosen.kills, freeze=True, within=_HOUR
            )
        finally:
            await crew.end()
        before = await ordeal.outcome(place, good)
        row(f"{ran.killed} killed, {ran.taken} shards frozen", ran.rate, ceiling, before)
        right = letters_right(place, poison)
        begin = time.perf_counter()
        code, counted = await ordeal.redriven(place, Process)
        rate = counted["applied"] / (time.perf_counter() - begin)
        after = await ordeal.outcome(place, sent, late=poison)
        row(f"{counted['applied']} redriven", rate, ceiling, after)
    wrong = {
        "not every kill came while events were left": ran.killed != chosen.kills,
        "the frozen worker had no shard": not ran.taken,
        "the dead letters are not the poisoned events with their reasons": not right,
        "not all dead letters were applied after the fix": (code, counted["applied"])
        != (0, chosen.poison),
    }
    return [before, after], [sentence for sentence, is_so in wrong.items() if is_so]


async def measure(chosen: argparse.Namespace) -> None:
    """One run, printed. Exits 1 with what was wrong."""
    logs.configure("error", "benchmark")
    load = os.getloadavg()[0]
    print(f"{chosen.events} events, {chosen.shards} shards, load {load:.1f} at the beginning\n")
    print("| run | applied | lost | doubled | out of order | events/s | of the ceiling |")
    print("|---|---|---|---|---|---|---|")
    ceiling, quiet = await undisturbed(chosen)
    endured, wrong = await disturbed(chosen, ceiling)
    applied = [chosen.events, chosen.events - chosen.poison, chosen.events]
    for found, count in zip([*quiet, *endured], applied, strict=True):
        if found != Outcome(count, 0, 0, 0):
            wrong.append(f"{found} instead of {count} events applied once, in order")
    if wrong:
        sys.exit("\n" + "\n".join(wrong))


def arguments() -> argparse.Namespace:
    """What to measure; exits with a sentence when it can't be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options: dict[str, tuple[int, str]] = {
        "events": (50_000, "of each of the two runs"),
        "shards": (8, "of each stream"),
        "workers": (3, "processes of the consumer"),
        "kills": (10, "with -9, after equal shares of the events"),
        "poison": (100, "events of types that aren't known before the fix"),
    }
    for name, (usual, told) in options.items():
        parser.add_argument(f"--{name}", type=int, default=usual, help=f"{told} ({usual})")
    chosen = parser.parse_args()
    if chosen.events >= chosen.shards * _MOST_IN_A_SHARD:
        sys.exit(
            f"--events {chosen.events} over {chosen.shards} shards: from {_MOST_IN_A_SHARD} in one "
            "on moto answers too slowly for a figure. Give more --shards. Nothing was measured."
        )
    return chosen


if __name__ == "__main__":
    asyncio.run(measure(arguments()))
