"""The process: how it starts, refuses to start, logs and stops."""

import asyncio
import json
import subprocess
import sys
import time

import httpx
import pytest
from conftest import API, ORDER, ROOT, blocked, settings_for

from trading_api import settings
from trading_api.database import DatabaseUnreachable
from trading_api.schema import ensure_schema


async def test_a_drain_finishes_requests_under_way(process, migrated, sql):
    service = await process({**migrated, "DRAIN_DELAY": "3"}).serving()
    async with httpx.AsyncClient(base_url=service.url, timeout=60) as http:
        async with sql.transaction():
            await sql.execute("LOCK TABLE instruments IN ACCESS EXCLUSIVE MODE")
            slow = asyncio.create_task(http.get(f"{API}/instruments"))
            assert await blocked(sql, "FROM instruments") == 1
            service.signal()
            await asyncio.sleep(0.3)
            # It says so before it closes the door, and lives on meanwhile.
            ready = await http.get("/ready")
            assert (ready.status_code, ready.json()["status"]) == (503, "draining")
            assert ready.headers["Connection"] == "close"
            assert (await http.get("/health")).status_code == 200
            with pytest.raises(httpx.TransportError):
                while True:
                    await http.get("/health")
                    await asyncio.sleep(0.1)
            assert not slow.done()
        assert (await slow).status_code == 200
    code, output = await service.ended()
    assert code == 0, output


async def test_no_request_is_lost_under_a_balancer_that_watches_readiness(process, migrated, sql):
    service = await process({**migrated, "DRAIN_DELAY": "2"}).serving()
    answered: list[int] = []
    left = asyncio.Event()

    async def balancer() -> None:
        async with httpx.AsyncClient(base_url=service.url) as http:
            while (await http.get("/ready")).status_code == 200:
                await asyncio.sleep(0.1)
        left.set()

    async def client() -> None:
        async with httpx.AsyncClient(base_url=service.url, timeout=60) as http:
            while not left.is_set():
                answered.append((await http.get(f"{API}/instruments/SOL-USD")).status_code)

    clients = [asyncio.create_task(work()) for work in [balancer, *[client] * 8]]
    async with asyncio.timeout(60):
        while len(answered) < 50:
            await asyncio.sleep(0.05)
    service.signal()
    await asyncio.gather(*clients)
    assert set(answered) == {200}
    assert (await service.ended())[0] == 0


async def test_a_drain_has_an_end(process, migrated, sql):
    service = await process({**migrated, "DRAIN_DELAY": "0", "DRAIN_TIMEOUT": "1"}).serving()
    async with httpx.AsyncClient(base_url=service.url, timeout=60) as http, sql.transaction():
        await sql.execute("LOCK TABLE instruments IN ACCESS EXCLUSIVE MODE")
        stuck = asyncio.create_task(http.get(f"{API}/instruments"))
        await blocked(sql, "FROM instruments")
        service.signal()
        begin = time.monotonic()
        await service.ended()
        assert time.monotonic() - begin < 15
        await asyncio.gather(stuck, return_exceptions=True)


async def test_a_second_signal_skips_the_wait(process, migrated, sql):
    service = await process({**migrated, "DRAIN_DELAY": "60"}).serving()
    service.signal()
    await asyncio.sleep(0.3)
    service.signal()
    assert (await service.ended(30))[0] == 0


async def test_a_stop_while_it_waits_for_the_database_is_at_once(process, environment):
    waiting = await process({**environment, "DATABASE_PORT": "1"}).begin()
    await asyncio.sleep(2.5)
    waiting.signal()
    assert (await waiting.ended(30))[0] == 0


async def test_configuration_errors_name_variable_reason_and_cure(process, environment):
    wrong = {
        **environment,
        "DATABASE_HOST": "",
        "DATABASE_SSL": "maybe",
        "ROOT_PATH": "no-slash",
        "REDIS_URL": "http://:tell-nobody@cache",
    }
    code, output = await process(wrong).begin_and_end()
    assert code == 78
    messages = " ".join(json.loads(line)["message"] for line in output.splitlines())
    assert "DATABASE_HOST is not set. Name the PostgreSQL server's address." in messages
    assert "DATABASE_SSL=maybe can't be used: input should be 'require' or 'disable'." in messages
    assert "ROOT_PATH=no-slash can't be used" in messages
    assert "REDIS_URL can't be used: its scheme is 'http'. Use redis://" in messages
    assert "tell-nobody" not in output


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"REDIS_URL": "redis://cache/0?ssl_cert_reqs=none"}, "options after the database number"),
        ({"REDIS_URL": "redis:///0"}, "it names no host"),
        ({"REDIS_URL": "redis://cache/first"}, "'first' is not a number"),
        ({"REDIS_URL": "redis://cache:port"}, "it is not an address"),
        ({"DATABASE_POOL_MIN": "9", "DATABASE_POOL_MAX": "3"}, "Lower the first or raise"),
    ],
)
def test_other_wrong_settings(environment, monkeypatch, change, says):
    for name, value in {**environment, **change}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(settings.ConfigurationError, match=says):
        settings.load()


async def test_a_database_that_never_comes_ends_the_start(process, environment):
    away = {**environment, "DATABASE_PORT": "1", "STARTUP_TIMEOUT": "1"}
    code, output = await process(away).begin_and_end()
    assert code == 69
    message = json.loads(output.splitlines()[-1])["message"]
    assert ":1 didn't serve within 1 s: " in message
    assert "Check DATABASE_HOST and DATABASE_PORT" in message


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"DATABASE_PASSWORD": "wrong-one"}, "refused user"),
        ({"DATABASE_NAME": "no_such_database"}, "has no database 'no_such_database'"),
    ],
)
async def test_a_refusal_is_not_waited_out(environment, change, says):
    begin = time.monotonic()
    with pytest.raises(DatabaseUnreachable, match=says) as refusal:
        await ensure_schema(settings_for({**environment, **change}, startup_timeout=60))
    assert time.monotonic() - begin < 30
    assert "wrong-one" not in str(refusal.value)


async def test_it_waits_for_a_database_that_comes_late(migrated, database_wire):
    database_wire.gone()
    through = {"database_host": database_wire.host, "database_port": database_wire.port}
    coming = asyncio.create_task(ensure_schema(settings_for(migrated, **through)))
    await asyncio.sleep(1)
    assert not coming.done()
    database_wire.up()
    await coming


async def test_logs_are_json_with_ids_and_without_secrets(
    process, migrated, sql, redis_wire, database_wire
):
    told = {
        **migrated,
        "LOG_LEVEL": "debug",
        "DATABASE_HOST": database_wire.host,
        "DATABASE_PORT": str(database_wire.port),
        # The server has no such password: the failed login is logged, too.
        "REDIS_URL": f"redis://:cache-secret-77@{redis_wire.host}:{redis_wire.port}/0",
        "DRAIN_DELAY": "0",
    }
    service = await process(told).serving()
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {
        "Idempotency-Key": "log",
        "X-Request-Id": "find-me",
        "traceparent": f"00-{trace}-00f067aa0ba902b7-01",
        "Authorization": "Bearer token-secret-88",
    }
    async with httpx.AsyncClient(base_url=service.url) as http:
        await http.post(f"{API}/orders?token=query-secret-99", json=ORDER, headers=headers)
        amazon = {"X-Amzn-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"}
        await http.get(f"{API}/instruments/SOL-USD", headers=amazon)
        # A statement that fails unforeseen, with all its traceback.
        await sql.execute("ALTER TABLE orders RENAME TO mislaid")
        try:
            await http.post(f"{API}/orders", json=ORDER, headers={"Idempotency-Key": "boom"})
        finally:
            await sql.execute("ALTER TABLE mislaid RENAME TO orders")
        database_wire.gone()
        await http.get("/ready")
    service.signal()
    code, output = await service.ended()
    assert code == 0

    events = [json.loads(line) for line in output.splitlines()]
    by_name = {event["event"]: event for event in events}
    placed = next(event for event in events if event.get("request_id") == "find-me")
    assert (placed["trace_id"], placed["status"]) == (trace, 201)
    assert placed["parent_id"] == "00f067aa0ba902b7" != placed["span_id"]
    requests = [event for event in events if event["event"] in ("request", "unhandled_error")]
    assert all(len(event["trace_id"]) == 32 and event["span_id"] for event in requests)
    assert (placed["path"], placed["method"]) == (f"{API}/orders", "POST")
    hot = next(event for event in events if "cache" in event and event["event"] == "request")
    assert (hot["cache"], hot["trace_id"]) == ("miss", "5759e988bd862e3fe1be46a994272793")
    # All lines of one request have one span.
    boom = [event for event in requests if event.get("status", 500) == 500]
    assert len(boom) == 2 and len({event["span_id"] for event in boom}) == 1
    assert by_name["unhandled_error"]["exception"][0]["exc_type"] == "UndefinedTableError"
    assert {"cache_away", "database_unavailable", "draining"} <= set(by_name)
    for secret in (
        migrated["DATABASE_PASSWORD"],
        "cache-secret-77",
        "token-secret-88",
        "query-secret-99",
    ):
        assert secret not in output


async def test_a_secret_in_an_event_is_blanked():
    program = (
        "from trading_api import logs\n"
        "logs.configure('info', 'r', ['pa\"ss', 'other'])\n"
        "logs.get().info('connect to pa\"ss', url='x:other@y', nested={'k': ['pa\"ss']})\n"
        "import logging; logging.getLogger('lib').warning('lib says %s', 'other')\n"
        "logs.hide('learnt-later')\n"
        "logs.get().info('now learnt-later is known')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    first, second, third = map(json.loads, done.stdout.splitlines())
    assert (first["event"], first["url"]) == ("connect to ***", "x:***@y")
    assert first["nested"] == {"k": ["***"]}
    assert (second["event"], second["level"]) == ("lib says ***", "warning")
    assert third["event"] == "now *** is known"


async def test_other_commands(process, migrated):
    code, output = await process(migrated, "openapi").begin_and_end()
    assert code == 0
    assert f"{API}/orders" in json.loads(output)["paths"]
    code, output = await process(migrated, "sail").begin_and_end()
    assert (code, "'sail' is no command" in output) == (64, True)


async def test_the_container_health_check_tells_alive_from_dead(process, migrated):
    service = await process({**migrated, "DRAIN_DELAY": "0"}).serving()
    script = [sys.executable, "-I", "-S", str(ROOT / "trading_api" / "healthcheck.py")]
    alive = await asyncio.create_subprocess_exec(*script, env={"PORT": str(service.port)})
    assert await alive.wait() == 0
    service.signal()
    await service.ended()
    dead = await asyncio.create_subprocess_exec(
        *script, env={"PORT": str(service.port)}, stderr=asyncio.subprocess.PIPE
    )
    assert "no answer" in (await dead.communicate())[1].decode()
    assert dead.returncode == 1
