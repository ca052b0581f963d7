"""The hot read: cheap when warm, right when cold, alive without Redis."""

import asyncio
import ssl
import subprocess
from urllib.parse import urlsplit

import pytest
from conftest import API, Wire, blocked, place, redis_url
from patience import waited

READ = f"{API}/instruments/SOL-USD"
KEY = "trading_api:1:instrument:SOL-USD"


async def read(task, path=READ):
    answer = await task.http.get(path)
    assert answer.status_code == 200, answer.text
    return answer.headers["X-Cache"]


async def test_miss_then_hit_for_every_task(start, cache_server):
    first, second = await start(), await start()
    cold = await first.http.get(READ)
    warm = await second.http.get(READ)
    assert (cold.headers["X-Cache"], warm.headers["X-Cache"]) == ("miss", "hit")
    assert cold.content == warm.content
    assert 0 < await cache_server.ttl(KEY) <= 30


async def test_it_tells_the_last_day(start):
    task = await start()
    await place(task.http, quantity="2", price="100")
    await place(task.http, quantity="0.5", price="110.5")
    body = (await task.http.get(READ)).json()
    assert body["last_day"] == {
        "orders": 2,
        "volume": "2.5",
        "notional": "255.25",
        "last_price": "110.5",
    }
    assert (body["symbol"], body["tick_size"], body["status"]) == ("SOL-USD", "0.01", "open")


async def test_instruments_are_listed(start):
    answer = await (await start()).http.get(f"{API}/instruments")
    symbols = [instrument["symbol"] for instrument in answer.json()["instruments"]]
    assert {"BTC-USD", "ETH-USD", "SOL-USD"} <= set(symbols)
    assert symbols == sorted(symbols)


@pytest.mark.parametrize("symbol", ["NO-SUCH", "sol-usd", "x%27--"])
async def test_an_unknown_instrument_is_404_and_not_cached(start, cache_server, symbol):
    answer = await (await start()).http.get(f"{API}/instruments/{symbol}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_instrument")
    assert [key async for key in cache_server.scan_iter("trading_api:*")] == []


async def test_fifty_cold_reads_in_two_tasks_ask_the_database_once(start, sql):
    tasks = [await start(), await start()]
    async with sql.transaction():
        await sql.execute("LOCK TABLE instruments IN ACCESS EXCLUSIVE MODE")
        reads = [asyncio.create_task(read(tasks[n % 2])) for n in range(50)]
        await blocked(sql, "FROM instruments")
        await asyncio.sleep(0.3)  # Time for a second query to come, were there one.
        assert await blocked(sql, "FROM instruments") == 1
    answers = await asyncio.gather(*reads)
    assert sum(task.cache.loads for task in tasks) == 1
    assert set(answers) == {"miss", "hit"}  # Those who shared the query, and the other task.


async def test_a_caller_that_hangs_up_does_not_take_the_others_along(start, sql):
    task = await start()
    async with sql.transaction():
        await sql.execute("LOCK TABLE instruments IN ACCESS EXCLUSIVE MODE")
        first, second = (asyncio.create_task(read(task)) for _ in range(2))
        await blocked(sql, "FROM instruments")
        first.cancel()
    assert await second == "miss"


async def test_a_lock_whose_holder_died_delays_but_does_not_stop(start, cache_server):
    await cache_server.set("trading_api:1:lock:instrument:SOL-USD", "dead", px=60000)
    async with waited() as passed:
        assert await read(await start()) == "miss"
    assert passed.seconds < 3
    # Not its own: it must leave the lock alone.
    assert await cache_server.get("trading_api:1:lock:instrument:SOL-USD") == b"dead"


async def test_memory_answers_for_a_moment_without_redis(start, cache_server):
    task = await start(cache_memory_ttl=0.4)
    await read(task)
    await cache_server.delete(KEY)
    assert await read(task) == "hit"
    await asyncio.sleep(0.5)
    assert await read(task) == "miss"


async def test_an_entry_expires(start, sql):
    task = await start(cache_ttl=1, cache_memory_ttl=0)
    assert [await read(task), await read(task)] == ["miss", "hit"]
    await asyncio.sleep(1.1)
    assert await read(task) == "miss"


async def test_redis_gone_and_back(start, environment, redis_wire):
    task = await start(redis_url=redis_url(environment, redis_wire), cache_memory_ttl=0)
    assert [await read(task), await read(task)] == ["miss", "hit"]

    redis_wire.gone()
    assert [await read(task) for _ in range(5)] == ["miss"] * 5
    ready = await task.http.get("/ready")
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")

    redis_wire.up()
    async with asyncio.timeout(5):
        while not task.cache.available:
            await asyncio.sleep(0.05)
    assert await read(task) == "hit"
    assert (await task.http.get("/ready")).json()["status"] == "ready"


async def test_redis_silent_costs_one_time_out_and_no_error(start, environment, redis_wire):
    task = await start(
        redis_url=redis_url(environment, redis_wire), redis_timeout=0.5, cache_memory_ttl=0
    )
    await read(task)
    redis_wire.silent()
    async with waited() as passed:
        assert await read(task) == "miss"
    assert passed.seconds < 3
    async with waited() as passed:
        assert [await read(task) for _ in range(20)] == ["miss"] * 20
    assert passed.seconds < 3, "requests still wait for Redis"


async def test_it_starts_without_redis(start):
    task = await start(redis_url="redis://127.0.0.1:1/0")
    assert await read(task) == "miss"
    assert (await task.http.get("/ready")).json()["cache"] == "away"


async def test_a_failing_query_fails_all_who_wait_and_nobody_after(
    start, sql, migrated, database_wire
):
    task = await start(database_host=database_wire.host, database_port=database_wire.port)
    database_wire.gone()
    answers = await asyncio.gather(*(task.http.get(READ) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {503}
    database_wire.up()
    assert await read(task) == "miss"


async def test_redis_over_tls_must_be_trusted(start, environment, tmp_path, monkeypatch):
    certificate, key = tmp_path / "ca.pem", tmp_path / "key.pem"
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1"
    subject = "-subj /CN=cache -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(
        [*f"{make} {subject}".split(), "-out", certificate, "-keyout", key],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    parts = urlsplit(environment["REDIS_URL"])
    wire = Wire(parts.hostname, parts.port or 6379)
    await wire.listen(tls=context)
    try:
        url = redis_url(environment, wire, scheme="rediss")
        stranger = await start(redis_url=url)
        assert not stranger.cache.available
        assert [await read(stranger), await read(stranger)] == ["miss", "miss"]

        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        trusted = await start(redis_url=url)
        assert trusted.cache.available
        assert [await read(trusted), await read(trusted)] == ["miss", "hit"]
    finally:
        await wire.close()
