"""The cache under writes and under faults: never a failed read, never one that outlives a write."""

import asyncio
import statistics
import time

import pytest
from conftest import API, blocked, place, redis_url

READ = f"{API}/instruments/SOL-USD"
KEY = "trading_api:1:instrument:SOL-USD"


async def orders_told(task):
    answer = await task.http.get(READ)
    assert answer.status_code == 200, answer.text
    return answer.json()["last_day"]["orders"], answer.headers["X-Cache"]


async def test_a_write_is_seen_by_the_next_read(start):
    # The other task's own memory keeps what it has for CACHE_MEMORY_TTL; here it has none.
    task, other = await start(), await start(cache_memory_ttl=0)
    assert await orders_told(task) == (0, "miss")
    for number in range(1, 4):
        await place(task.http)
        assert (await orders_told(task))[0] == number
        assert (await orders_told(other))[0] == number


async def test_a_read_from_before_a_write_is_not_kept(start, sql, cache_server):
    """The loader asks before the write and stores after it: without its lock it must not."""
    reader, writer = await start(), await start()
    async with sql.transaction():
        await sql.execute("LOCK TABLE instruments IN ACCESS EXCLUSIVE MODE")
        early = asyncio.create_task(orders_told(reader))
        assert await blocked(sql, "FROM instruments") == 1
        await writer.cache.forget("instrument:SOL-USD")
    await early
    assert await cache_server.get(KEY) is None
    # The control: without a write it is kept.
    await reader.cache.forget("instrument:SOL-USD")
    await orders_told(reader)
    assert await cache_server.get(KEY) is not None


async def test_who_comes_after_a_write_does_not_join_a_read_from_before(start, sql):
    task = await start()
    async with sql.transaction():
        await sql.execute("LOCK TABLE instruments IN ACCESS EXCLUSIVE MODE")
        early = asyncio.create_task(orders_told(task))
        assert await blocked(sql, "FROM instruments") == 1
        await task.cache.forget("instrument:SOL-USD")
        late = asyncio.create_task(orders_told(task))
        assert await blocked(sql, "FROM instruments", at_least=2) == 2
    assert (await early)[1] == (await late)[1] == "miss"
    assert task.cache.loads == 2


async def test_what_is_written_while_redis_is_away_is_forgotten_when_it_is_back(
    start, environment, redis_wire
):
    task = await start(redis_url=redis_url(environment, redis_wire), cache_memory_ttl=0)
    await orders_told(task)
    redis_wire.gone()
    assert (await place(task.http)).status_code == 201
    assert await orders_told(task) == (1, "miss")
    redis_wire.up()
    async with asyncio.timeout(10):
        while not task.cache.available:
            await asyncio.sleep(0.05)
    assert await orders_told(task) == (1, "miss")
    assert await orders_told(task) == (1, "hit")


async def test_lives_are_spread(start, cache_server):
    task = await start(cache_ttl=1000, cache_memory_ttl=0)
    lives = set()
    for _ in range(8):
        await task.cache.forget("instrument:SOL-USD")
        await orders_told(task)
        lives.add(await cache_server.pttl(KEY) // 1000)
    assert len(lives) > 1
    assert min(lives) >= 795 and max(lives) <= 1000


async def test_hits_and_misses_are_counted(start):
    task = await start(cache_memory_ttl=30)
    other = await start(cache_memory_ttl=0)
    for _ in range(3):
        await orders_told(task)
    await orders_told(other)
    seen, also = task.app.state.counters, other.app.state.counters
    assert (seen.misses, seen.memory_hits, seen.redis_hits) == (1, 2, 0)
    assert (also.misses, also.memory_hits, also.redis_hits) == (0, 0, 1)


@pytest.mark.parametrize("fault", ["gone", "silent", "slow"])
async def test_no_request_fails_whatever_redis_does(start, environment, redis_wire, fault):
    """Reads and writes under load while Redis is cut off, frozen or slow, and after it is back."""
    task = await start(
        redis_url=redis_url(environment, redis_wire),
        redis_timeout=0.25,
        cache_memory_ttl=0,
        database_acquire_timeout=20,
    )
    took: dict[str, list[float]] = {"before": [], "during": [], "after": []}
    statuses: set[int] = set()
    phase, stop = "before", asyncio.Event()

    async def client() -> None:
        while not stop.is_set():
            now, begin = phase, time.perf_counter()
            statuses.add((await task.http.get(READ)).status_code)
            took[now].append(time.perf_counter() - begin)
            statuses.add((await place(task.http)).status_code)

    async def enough() -> None:
        async with asyncio.timeout(30):
            while len(took[phase]) < 50:
                await asyncio.sleep(0.02)

    clients = [asyncio.create_task(client()) for _ in range(4)]
    await enough()
    {"gone": redis_wire.gone, "silent": redis_wire.silent, "slow": lambda: redis_wire.slow(0.2)}[
        fault
    ]()
    phase = "during"
    await enough()
    assert not task.cache.available, "the fault was not noticed"
    redis_wire.up()
    phase = "after"
    async with asyncio.timeout(20):
        while not task.cache.available:
            await asyncio.sleep(0.05)
    await enough()
    stop.set()
    await asyncio.gather(*clients)
    assert statuses == {200, 201}
    for name, seconds in took.items():
        print(f"redis {fault}: {name} p50 {statistics.median(seconds) * 1000:.0f} ms, "
              f"most {max(seconds) * 1000:.0f} ms of {len(seconds)} reads")  # fmt: skip
    assert statistics.median(took["during"]) < 1
