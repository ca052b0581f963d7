"""Whole processes: killed, frozen, drained, more and fewer of them; and the way back of poison."""

import asyncio
import secrets
import signal
from collections import Counter

import pytest
from conftest import Place, Process, event, until

KEYS = [f"key{number}" for number in range(20)]


def many(count: int, first: int = 1) -> list[dict]:
    """Events of all keys in turn; the slot grows with each."""
    return [event(number, KEYS[number % len(KEYS)]) for number in range(first, first + count)]


async def all_applied(place: Place, count: int) -> None:
    async def done() -> bool:
        return await place.applied() >= count

    await until(done, 120)
    total = await place.sql.fetchval("SELECT sum(events) FROM events.accounts")
    assert (await place.applied(), total) == (count, count)
    assert await place.out_of_order() == 0


def worker(place: Place, name: str, **more: str) -> dict[str, str]:
    return {**place.variables, "WORKER_ID": name, **more}


async def test_a_kill_in_the_middle_loses_and_doubles_nothing(place, process):
    where: Place = await place(shards=2)
    where.put(*many(3000))
    first: Process = await process(worker(where, "first", BATCH="50")).begin()

    async def some() -> bool:
        return await where.applied() >= 200

    await until(some)
    await first.kill()
    before = await where.applied()
    assert before < 3000, "it was done before the kill: nothing was tested"
    await process(worker(where, "second")).begin()
    await all_applied(where, 3000)


async def test_a_frozen_worker_writes_nothing_when_it_wakes(place, process):
    where: Place = await place(shards=2)
    where.put(*many(400))
    frozen: Process = await process(worker(where, "frozen", BATCH="20")).begin()

    async def some() -> bool:
        return await where.applied() >= 40

    await until(some)
    frozen.signal(signal.SIGSTOP)
    other: Process = await process(worker(where, "other")).begin()
    where.put(*many(400, 401))
    await all_applied(where, 800)
    assert where.owners() == ["other", "other"]
    frozen.signal(signal.SIGCONT)
    where.put(*many(200, 801))
    await all_applied(where, 1000)

    # It may work again once it has leases anew: one of the two shards.
    async def shared() -> bool:
        return sorted(filter(None, where.owners())) == ["frozen", "other"]

    await until(shared)
    where.put(*many(100, 1001))
    await all_applied(where, 1100)
    for each in (frozen, other):
        each.signal(signal.SIGTERM)
    code, lines = await frozen.ended()
    assert code == 0
    assert any(line["event"] == "lease_lost" for line in lines)
    assert (await other.ended())[0] == 0
    # Drained: nobody has to wait for the leases to expire.
    assert where.owners() == [None, None]


async def test_a_login_that_is_refused_ends_the_worker_and_rejects_nothing(place, process):
    where: Place = await place(shards=1)
    user, old, new = f"rotated_{secrets.token_hex(4)}", secrets.token_hex(8), secrets.token_hex(8)
    await where.sql.execute(
        f"CREATE ROLE {user} LOGIN PASSWORD '{old}' IN ROLE {where.variables['DATABASE_USER']}"
    )
    login = {"DATABASE_USER": user, "DATABASE_PASSWORD": old}
    first: Process = await process(worker(where, "first", **login)).begin()
    where.put(*many(100))
    await all_applied(where, 100)
    await where.sql.execute(f"ALTER ROLE {user} PASSWORD '{new}'")
    # Connections that are open outlive the change.
    where.put(*many(100, 101))
    await all_applied(where, 200)
    await where.sql.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", user
    )
    where.put(*many(100, 201))
    code, lines = await first.ended()
    assert code == 0
    assert {"login_refused", "draining"} <= {line["event"] for line in lines}
    assert old not in str(lines)
    assert await where.applied() == 200
    second = await process(worker(where, "second", **login | {"DATABASE_PASSWORD": new})).begin()
    await all_applied(where, 300)
    assert where.letters() == []
    await second.kill()
    await where.sql.execute(f"DROP ROLE {user}")


async def test_workers_share_and_say_how_they_are(place, process):
    where: Place = await place(shards=4)
    one: Process = await process(worker(where, "one", METRICS_SECONDS="1")).begin()

    async def has_all() -> bool:
        return where.owners() == ["one"] * 4

    await until(has_all)
    assert one.ask("/health")[0] == 200
    status, said = one.ask("/ready")
    assert (status, said["status"], len(said["shards"])) == (200, "ready", 4)
    two: Process = await process(worker(where, "two")).begin()

    async def even() -> bool:
        return Counter(where.owners()) == {"one": 2, "two": 2}

    await until(even)
    where.put(*many(500))
    await all_applied(where, 500)
    two.signal(signal.SIGTERM)
    assert (await two.ended())[0] == 0
    await until(has_all)
    one.signal(signal.SIGTERM)
    code, lines = await one.ended()
    assert code == 0
    of_shards = {line["Shard"] for line in lines if line["event"] == "metrics" and "Shard" in line}
    assert len(of_shards) == 4
    applied = [line for line in lines if line["event"] == "applied"]
    assert applied and all(len(line["trace_id"]) == 32 and line["span_id"] for line in applied)


async def test_poison_is_laid_aside_and_redriven_after_the_fix(place, process):
    where: Place = await place(shards=2)
    events = many(300)
    for number in range(0, 300, 10):
        events[number]["type"] = "swap"
    where.put(*events)
    running: Process = await process(worker(where, "one")).begin()
    await all_applied(where, 270)

    async def laid_aside() -> bool:
        return await where.sql.fetchval("SELECT count(*) FROM events.rejected") == 30

    await until(laid_aside)
    letters = where.letters()
    assert len(letters) == 30
    assert {letter["reason"] for letter in letters} == {
        "unknown type 'swap': EVENT_TYPES has logs, slot"
    }
    running.signal(signal.SIGTERM)
    _, lines = await running.ended()
    traces = {one["id"]: one["traceparent"].split("-")[1] for one in events}
    rejected = Counter(line["trace_id"] for line in lines if line["event"] == "rejected")
    assert rejected == Counter(traces[one["id"]] for one in events if one["type"] == "swap")

    # Before the fix they are refused again, and stay.
    early: Process = await process(where.variables, "consumer.redrive").begin("--limit", "3")
    code, lines = await early.ended()
    assert (code, lines[-1]["refused"], lines[-1]["applied"]) == (1, 3, 0)
    refused = [line["trace_id"] for line in lines if line.get("event") == "still_refused"]
    assert len(refused) == 3 and set(refused) < set(rejected)
    # A trial asks one of a reason, before the fix and after it.
    trial: Process = await process(where.variables, "consumer.redrive").begin("--trial")
    code, lines = await trial.ended()
    assert (code, lines[-1]["refused"], lines[-1]["applied"]) == (1, 1, 0)
    fixed = {**where.variables, "EVENT_TYPES": "logs,slot,swap"}
    code, lines = await (await process(fixed, "consumer.redrive").begin("--trial")).ended()
    assert (code, lines[-1]["refused"], lines[-1]["applied"]) == (0, 0, 1)
    assert len(where.letters()) == 29
    code, lines = await (await process(fixed, "consumer.redrive").begin()).ended()
    assert (code, lines[-1]["applied"], lines[-1]["refused"]) == (0, 29, 0)
    await all_redriven(where)
    assert where.letters() == []


async def all_redriven(place: Place) -> None:
    """All 300 have had their effect, the 30 later than those around them."""
    total = await place.sql.fetchval("SELECT sum(events) FROM events.accounts")
    assert (await place.applied(), total) == (300, 300)
    redriven = await place.sql.fetchval("SELECT count(redriven_at) FROM events.rejected")
    assert redriven == 30


@pytest.mark.parametrize(
    ("variables", "arguments", "code"),
    [({"LEASE_SECONDS": "0"}, [], 78), ({}, ["dance"], 64), ({}, ["migrate"], 0)],
)
async def test_exit_codes(place, process, variables: dict, arguments: list[str], code: int):
    where: Place = await place()
    started: Process = await process({**where.variables, **variables}).begin(*arguments)
    assert (await started.ended())[0] == code


async def test_tasks_that_start_together_make_one_schema(place, process):
    where: Place = await place()
    await where.sql.execute("DROP SCHEMA events CASCADE")
    await where.sql.execute("CREATE TABLE alembic_version (version_num text)")
    await where.sql.execute("INSERT INTO alembic_version VALUES ('0002')")
    started = [await process(where.variables).begin("migrate") for _ in range(2)]
    assert [code for code, _ in await asyncio.gather(*(one.ended() for one in started))] == [0, 0]
    # The trading API's own mark in the same database is left alone.
    assert await where.sql.fetchval("SELECT version_num FROM alembic_version") == "0002"
    assert await where.sql.fetchval("SELECT version_num FROM events.alembic_version") == "0001"
