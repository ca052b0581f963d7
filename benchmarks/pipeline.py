"""The consumer's events per second beside what the stream gives without it, in the same run.

Run with the Python of an environment of apps/consumer/requirements-dev.txt, the TEST_DATABASE_
variables that apps/consumer/README.md lists, and AWS as boto3 finds it (AWS_ENDPOINT_URL: an
embedded cloud or a moto server):

    python benchmarks/pipeline.py [--events 5000] [--shards 4] [--workers 2] [--chaos]

--chaos kills a random worker after every tenth of the events and starts another, and freezes one
from the first tenth to the middle: what counts then is the last line, which says what was lost,
doubled or out of order. Everything is made for the run and removed. moto slows with the records in
a shard: give 50000 events 8 shards.
"""

import argparse
import asyncio
import json
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import boto3

APP = Path(__file__).parents[1] / "apps" / "consumer"
KEYS = 200
_DISORDER = """
SELECT count(*) FROM (SELECT slot - lag(slot) OVER (PARTITION BY key ORDER BY place) AS step
                      FROM events.applied) steps WHERE step <= 0
"""


def environment() -> dict[str, str]:
    """The service's variables; exits with a sentence when a TEST_ variable is absent."""
    names = [f"DATABASE_{part}" for part in ("HOST", "PORT", "NAME", "USER", "PASSWORD")]
    if absent := [f"TEST_{name}" for name in names if not os.environ.get(f"TEST_{name}")]:
        sys.exit(f"Set {', '.join(absent)}: see apps/consumer/README.md.")
    given = {name: os.environ[f"TEST_{name}"] for name in names}
    return {**given, "DATABASE_SSL": os.environ.get("TEST_DATABASE_SSL", "disable")}


async def connect(variables: dict[str, str]) -> asyncpg.Connection:
    """A connection to the database that `variables` name."""
    return await asyncpg.connect(
        host=variables["DATABASE_HOST"],
        port=int(variables["DATABASE_PORT"]),
        database=variables["DATABASE_NAME"],
        user=variables["DATABASE_USER"],
        password=variables["DATABASE_PASSWORD"],
        ssl=variables["DATABASE_SSL"],
    )


def envelope(number: int) -> dict:
    """A record of the stream; its slot is its number."""
    key = f"key{number % KEYS}"
    event = {
        "schema_version": 1, "id": f"{key}-{number}", "source": "solana", "type": "logs",
        "key": key, "slot": number, "time": "2026-01-01T00:00:00.000Z",
        "traceparent": f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00",
        "payload": {"err": None, "logs": ["Program 1 invoke [1]", "Program 1 success"]},
    }  # fmt: skip
    return {"Data": json.dumps(event).encode(), "PartitionKey": key}


class Stream:
    """A stream, a lease table and a queue for one run."""

    def __init__(self, shards: int) -> None:
        self.name = f"pipeline-{secrets.token_hex(4)}"
        self._kinesis, self._dynamodb, self._sqs = map(boto3.client, ("kinesis", "dynamodb", "sqs"))
        self._kinesis.create_stream(StreamName=self.name, ShardCount=shards)
        self._kinesis.get_waiter("stream_exists").wait(StreamName=self.name)
        self._dynamodb.create_table(
            TableName=self.name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
        )
        self.queue = self._sqs.create_queue(QueueName=self.name)["QueueUrl"]

    def put(self, count: int) -> float:
        """Publishes so many events; returns the seconds."""
        begin = time.perf_counter()
        for first in range(0, count, 500):
            rows = [envelope(number) for number in range(first, min(first + 500, count))]
            answer = self._kinesis.put_records(StreamName=self.name, Records=rows)
            if answer["FailedRecordCount"]:
                sys.exit("Kinesis refused records: give the stream more shards.")
        return time.perf_counter() - begin

    def get(self) -> float:
        """Reads all, doing nothing with it; returns the seconds."""
        begin = time.perf_counter()
        for shard in self._kinesis.list_shards(StreamName=self.name)["Shards"]:
            iterator = self._kinesis.get_shard_iterator(
                StreamName=self.name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            rows = [None]
            while rows:
                answer = self._kinesis.get_records(ShardIterator=iterator, Limit=500)
                rows, iterator = answer["Records"], answer["NextShardIterator"]
        return time.perf_counter() - begin

    def remove(self) -> None:
        """Deletes all three."""
        self._kinesis.delete_stream(StreamName=self.name, EnforceConsumerDeletion=True)
        self._dynamodb.delete_table(TableName=self.name)
        self._sqs.delete_queue(QueueUrl=self.queue)


class Workers:
    """Processes of the consumer."""

    def __init__(self, variables: dict[str, str]) -> None:
        self._variables = variables
        self.running: list[subprocess.Popen] = []
        self._count = 0

    def start(self) -> None:
        """One more."""
        self._count += 1
        told = {"WORKER_ID": f"worker{self._count}", "PORT": str(18200 + self._count)}
        self.running.append(
            subprocess.Popen(
                [sys.executable, "-m", "consumer"],
                cwd=APP,
                env={**os.environ, **self._variables, **told, "LOG_LEVEL": "error"},
            )
        )

    def kill_one(self) -> None:
        """kill -9 of a random one, and another in its place."""
        victim = self.running.pop(random.randrange(len(self.running)))  # noqa: S311 - no secret
        victim.kill()
        victim.wait()
        self.start()

    def end(self) -> None:
        """All of them, frozen ones too."""
        for one in self.running:
            one.kill()
            one.wait()


async def consume(workers: Workers, sql: asyncpg.Connection, count: int, chaos: bool) -> float:
    """Waits until all events are applied; returns the seconds."""
    begin = time.perf_counter()
    frozen, killed = None, 0
    while (done := await sql.fetchval("SELECT count(*) FROM events.applied")) < count:
        if time.perf_counter() - begin > 1800:
            sys.exit(f"{count - done} of {count} events were not applied within half an hour.")
        # By what is done, not by the clock: on a slow machine nothing would come to life.
        if chaos and killed < 10 * done // count:
            if not killed:
                # Out of the list, so that it isn't killed while it stands.
                frozen = workers.running.pop(0)
                frozen.send_signal(signal.SIGSTOP)
                workers.start()
            elif frozen and done > count / 2:
                frozen.send_signal(signal.SIGCONT)
                workers.running.append(frozen)
                frozen = None
            workers.kill_one()
            killed += 1
        await asyncio.sleep(0.05)
    took = time.perf_counter() - begin
    if chaos:
        print(f"killed {killed} workers, froze one from the first tenth to the middle")
    return took


async def measure(chosen: argparse.Namespace) -> None:
    """One run, printed."""
    given = environment()
    name = f"pipeline_bench_{secrets.token_hex(4)}"
    admin = await connect(given)
    await admin.execute(f"CREATE DATABASE {name}")
    stream = Stream(chosen.shards)
    variables = {
        **given, "DATABASE_NAME": name, "STREAM_NAME": stream.name, "LEASE_TABLE": stream.name,
        "DEAD_LETTER_QUEUE_URL": stream.queue, "LEASE_SECONDS": "3", "POLL_SECONDS": "0.2",
        # So small that there is something to kill for a while.
        **({"BATCH": "50"} if chosen.chaos else {}),
    }  # fmt: skip
    workers = Workers(variables)
    try:
        subprocess.run(
            [sys.executable, "-m", "consumer", "migrate"], cwd=APP,
            env={**os.environ, **variables, "LOG_LEVEL": "error"}, check=True,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        put, got = stream.put(chosen.events), stream.get()
        print(f"{chosen.events} events, {chosen.shards} shards, {chosen.workers} workers")
        print(f"put alone     {chosen.events / put:9,.0f} events/s")
        print(f"get alone     {chosen.events / got:9,.0f} events/s")
        sql = await connect(variables)
        for _ in range(chosen.workers):
            workers.start()
        took = await consume(workers, sql, chosen.events, chosen.chaos)
        print(
            f"consumer      {chosen.events / took:9,.0f} events/s (start of the workers included)"
        )
        effects = await sql.fetchval("SELECT sum(events) FROM events.accounts")
        applied = await sql.fetchval("SELECT count(*) FROM events.applied")
        disorder = await sql.fetchval(_DISORDER)
        print(
            f"lost {chosen.events - applied}, doubled {effects - applied}, out of order {disorder}",
            flush=True,
        )
        await sql.close()
    finally:
        workers.end()
        stream.remove()
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=5000)
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--chaos", action="store_true", help="kill and freeze workers meanwhile")
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
