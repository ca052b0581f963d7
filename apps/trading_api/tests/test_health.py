"""Liveness, readiness, and a database that is gone, frozen or busy."""

import asyncio

from conftest import API, blocked, place
from patience import waited


async def test_both_paths_answer(start):
    task = await start(revision="abc123")
    for prefix in ("", API):
        alive = await task.http.get(f"{prefix}/health")
        assert (alive.status_code, alive.json()["revision"]) == (200, "abc123")
        ready = await task.http.get(f"{prefix}/ready")
        assert ready.json() == {"status": "ready", "database": "ok", "cache": "ok"}


async def test_database_gone_and_back(start, database_wire):
    task = await start(database_host=database_wire.host, database_port=database_wire.port)
    database_wire.gone()
    assert (await task.http.get("/health")).status_code == 200
    ready = await task.http.get("/ready")
    assert (ready.status_code, ready.json()["database"]) == (503, "unavailable")
    for answer in (await place(task.http), await task.http.get(f"{API}/instruments")):
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert answer.json()["error"]["code"] == "database_unavailable"

    database_wire.up()
    assert (await task.http.get("/ready")).status_code == 200
    assert (await place(task.http)).status_code == 201


async def test_connections_that_were_cut_fail_no_request(start, sql):
    """As a failover or a firewall leaves them: the pool learns of it from the next statement."""
    task = await start(database_pool_min=5, database_pool_max=5)
    held = await asyncio.gather(*(task.http.get(f"{API}/instruments") for _ in range(20)))
    assert {answer.status_code for answer in held} == {200}
    cut = await sql.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert len(cut) >= 5
    reads = (task.http.get(f"{API}/instruments") for _ in range(10))
    writes = (place(task.http) for _ in range(10))
    answers = await asyncio.gather(*reads, *writes)
    assert [answer.status_code for answer in answers] == [200] * 10 + [201] * 10
    assert await sql.fetchval("SELECT count(*) FROM orders") == 10


async def test_database_frozen_does_not_hang_requests(start, database_wire):
    task = await start(
        database_host=database_wire.host,
        database_port=database_wire.port,
        database_acquire_timeout=0.5,
        database_command_timeout=0.5,
    )
    assert (await task.http.get("/ready")).status_code == 200
    database_wire.silent()
    async with waited() as passed:
        answers = await asyncio.gather(*(task.http.get(f"{API}/instruments") for _ in range(30)))
        assert {answer.status_code for answer in answers} == {503}
        assert (await task.http.get("/health")).status_code == 200
    assert passed.seconds < 6
    database_wire.up()
    async with asyncio.timeout(10):
        while (await task.http.get("/ready")).status_code != 200:
            await asyncio.sleep(0.1)


async def test_an_exhausted_pool_says_so_instead_of_hanging(start, sql):
    task = await start(database_pool_max=2, database_acquire_timeout=0.3)
    async with sql.transaction():
        await sql.execute("LOCK TABLE instruments IN ACCESS EXCLUSIVE MODE")
        held = [asyncio.create_task(task.http.get(f"{API}/instruments")) for _ in range(2)]
        assert await blocked(sql, "FROM instruments", at_least=2) == 2
        async with waited() as passed:
            refused = await task.http.get(f"{API}/instruments")
        assert passed.seconds < 2
        assert refused.status_code == 503
        assert refused.headers["Retry-After"] == "1"
        error = refused.json()["error"]
        assert error["code"] == "database_busy"
        assert "All 2 database connections" in error["message"]
        ready = await task.http.get("/ready")
        assert (ready.status_code, ready.json()["database"]) == (503, "busy")
        assert (await task.http.get("/health")).status_code == 200
    assert [answer.status_code for answer in await asyncio.gather(*held)] == [200, 200]
    assert (await task.http.get("/ready")).status_code == 200


async def test_ids_are_taken_over_or_made(start):
    task = await start()
    given = await task.http.get("/health", headers={"X-Request-Id": "abc.1"})
    assert given.headers["X-Request-Id"] == "abc.1"
    made = await task.http.get("/health", headers={"X-Request-Id": "no\tgood " * 40})
    assert len(made.headers["X-Request-Id"]) == 36
    error = await task.http.get("/nowhere", headers={"X-Request-Id": "abc.2"})
    assert error.json()["error"]["request_id"] == "abc.2"


async def test_an_unforeseen_error_is_a_500_in_the_same_shape(start, sql):
    await sql.execute("ALTER TABLE orders RENAME TO mislaid")
    try:
        answer = await place((await start()).http)
    finally:
        await sql.execute("ALTER TABLE mislaid RENAME TO orders")
    assert answer.status_code == 500
    error = answer.json()["error"]
    assert (error["code"], error["request_id"]) == (
        "internal_error",
        answer.headers["X-Request-Id"],
    )
    assert "mislaid" not in answer.text and "orders" not in answer.text
