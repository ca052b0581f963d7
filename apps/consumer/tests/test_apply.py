"""Batches into PostgreSQL: once, in order, nothing skipped, and nothing by who lost the shard."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import asyncpg
import pytest
from conftest import Place, event, until

from consumer.apply import Applier, Fenced
from consumer.database import Database
from consumer.dead_letters import DeadLetters
from consumer.envelope import Record
from consumer.metrics import Metrics


def records(*events: dict | bytes) -> list[Record]:
    return [
        Record("shardId-0", str(number), one["key"] if isinstance(one, dict) else "a",
               one if isinstance(one, bytes) else json.dumps(one).encode())
        for number, one in enumerate(events, 1)
    ]  # fmt: skip


@pytest.fixture
async def applier(place, client):
    """`await applier()`: (place, what makes one with a fence)."""
    databases = []

    async def one(**more):
        where: Place = await place()
        settings = where.settings(**more)
        database = Database(settings)
        await database.open()
        databases.append(database)
        dead = DeadLetters(client("sqs"), client("kinesis"), where.queue, where.name)
        metrics = Metrics("consumer")

        def make(fence: int) -> Applier:
            return Applier(settings, database, dead, metrics, "shardId-0", fence)

        make.metrics = metrics
        return where, make

    yield one
    for database in databases:
        await database.close()


async def test_an_event_has_its_effect_once(applier: Callable[..., Awaitable]):
    where, make = await applier()
    one = make(1)
    await one.claim()
    batch = records(event(1), event(2, "b"), event(1), event(3, payload={"err": {"x": 1}}))
    await one.apply(batch)
    await one.apply(batch)
    rows = await where.sql.fetch("SELECT key, events, failed, last_slot FROM events.accounts")
    assert {tuple(row) for row in rows} == {("a", 2, 1, 3), ("b", 1, 0, 2)}
    tally = make.metrics.of("shardId-0")
    assert (tally.applied, tally.duplicates) == (3, 5)


async def test_poison_is_found_by_halving_and_the_rest_goes_on(applier: Callable[..., Awaitable]):
    where, make = await applier()
    one = make(1)
    await one.claim()
    events = [event(number) for number in range(1, 41)]
    events[16] = event(17, payload={"logs": "no list"})
    events[29] = b"no JSON"
    await one.apply(records(*events))
    assert await where.applied() == 38
    assert await where.out_of_order() == 0
    letters = {letter["sequence"]: letter for letter in where.letters()}
    assert set(letters) == {"17", "30"}
    assert letters["17"]["reason"] == "invalid: payload.logs is not a list of texts"
    assert letters["17"]["shard"] == "shardId-0" and letters["17"]["attempts"] == 1
    # The same records once more, as after a death before the checkpoint: no letter is sent twice.
    await one.apply(records(*events))
    assert len(where.letters()) == 2


async def test_an_unknown_failure_is_tried_before_it_is_a_letter(
    applier: Callable[..., Awaitable],
):
    where, make = await applier(attempts=2)
    await where.sql.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN IF new.slot = 3 THEN RAISE EXCEPTION 'no threes'; END IF; RETURN new; END $$"
    )
    await where.sql.execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON events.applied "
        "FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    one = make(1)
    await one.claim()
    await one.apply(records(*(event(number) for number in range(1, 6))))
    assert await where.applied() == 4
    (letter,) = where.letters()
    assert "no threes" in letter["reason"] and letter["attempts"] == 2


async def test_who_lost_the_shard_writes_nothing(applier: Callable[..., Awaitable]):
    where, make = await applier()
    old, new = make(5), make(6)
    await old.claim()
    await old.apply(records(event(1)))
    await new.claim()
    with pytest.raises(Fenced):
        await old.apply(records(event(2)))
    with pytest.raises(Fenced):
        await old.apply(records(b"poison"))
    with pytest.raises(Fenced):
        await old.claim()
    assert await where.applied() == 1
    assert where.letters() == []


async def test_a_frozen_transaction_does_not_keep_the_successor_waiting(
    applier: Callable[..., Awaitable],
):
    """As after SIGSTOP in the middle of a transaction."""
    where, make = await applier(lease_seconds=1)
    old = make(5)
    await old.claim()
    async with FrozenTransaction(where, old) as connection:
        await make(6).claim()
        gone = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
        with pytest.raises(gone):
            await connection.execute("SELECT 1")


class FrozenTransaction:
    """A transaction of the old owner that holds the fence and ends only with its connection."""

    def __init__(self, where: Place, old: Applier) -> None:
        self._database = Database(where.settings(lease_seconds=1))
        self._old = old

    async def __aenter__(self) -> asyncpg.Connection:
        await self._database.open()
        self._connection = await self._database._pool.acquire()
        await self._connection.execute("BEGIN")
        await self._old._hold_fence(self._connection)
        return self._connection

    async def __aexit__(self, *_: object) -> None:
        await self._database.close()


async def test_a_database_that_is_away_loses_nothing(applier: Callable[..., Awaitable]):
    where, make = await applier()
    one = make(1)
    await one.claim()
    blocker = await asyncpg.connect(**where.settings().database_arguments())
    lock = blocker.transaction()
    await lock.start()
    await blocker.execute("LOCK TABLE events.applied IN ACCESS EXCLUSIVE MODE")
    working = asyncio.create_task(one.apply(records(event(1), event(2))))

    async def ended_one() -> bool:
        return await where.sql.fetchval(
            "SELECT count(pg_terminate_backend(pid)) > 0 FROM pg_stat_activity "
            "WHERE application_name LIKE 'consumer %' AND wait_event_type = 'Lock'"
        )

    await until(ended_one)
    await until(ended_one)
    await lock.rollback()
    await working
    assert await where.applied() == 2
    assert make.metrics.of("shardId-0").retries >= 2
    await blocker.close()


async def test_a_record_too_long_for_the_queue_is_found_in_the_stream(place, client):
    where: Place = await place()
    where.put(event(1), b"x" * 200_000, event(2))
    shard = where.kinesis.list_shards(StreamName=where.name)["Shards"][0]["ShardId"]
    iterator = where.kinesis.get_shard_iterator(
        StreamName=where.name, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    row = where.kinesis.get_records(ShardIterator=iterator)["Records"][1]
    dead = DeadLetters(client("sqs"), client("kinesis"), where.queue, where.name)
    await dead.send(Record(shard, row["SequenceNumber"], "a", row["Data"]), "too odd", 1)
    (message,) = await dead.receive(5)
    assert (await dead.record(message)).data == b"x" * 200_000
    with pytest.raises(ValueError, match="not a dead letter"):
        await dead.record({"Body": "{}"})
