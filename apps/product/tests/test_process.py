"""The process: how it starts, refuses to start, migrates, logs, traces and stops."""

import asyncio
import json
import secrets

import asyncpg
import httpx
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from conftest import API, LAMP, settings_for

from product import schema

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
ROOT = f"Root=1-{TRACE[:8]}-{TRACE[8:]}"  # the trace in the load balancer's spelling


async def test_starters_at_once_migrate_once_into_a_schema_of_their_own(empty_database, process):
    starters = [await process(empty_database, "migrate").begin() for _ in range(3)]
    ends = await asyncio.gather(*(starter.ended() for starter in starters))
    assert [code for code, _ in ends] == [0] * 3, ends
    assert sum('"before": null' in output for _, output in ends) == 1, ends
    connection = await asyncpg.connect(**settings_for(empty_database).database_arguments())
    tables = await connection.fetch(
        "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('product', 'public')"
    )
    assert set(map(tuple, tables)) == {
        ("product", name) for name in ("alembic_version", "products", "reservations")
    }
    # An older image starts on a newer schema and leaves it alone.
    await connection.execute("UPDATE product.alembic_version SET version_num = '9999'")
    code, output = await (await process(empty_database, "migrate").begin()).ended()
    assert (code, "schema_newer_than_image" in output) == (0, True)
    await connection.close()


def test_file_names_tell_the_newest_revision():
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    assert schema.newest() == ScriptDirectory.from_config(config).get_current_head()


async def test_a_login_that_is_refused_ends_the_task_for_one_that_is_given_the_new(
    process, migrated, sql
):
    user, old, new = f"rotated_{secrets.token_hex(4)}", secrets.token_hex(8), secrets.token_hex(8)
    await sql.execute(
        f"CREATE ROLE {user} LOGIN PASSWORD '{old}' IN ROLE {migrated['DATABASE_USER']}"
    )
    login = {**migrated, "DATABASE_USER": user, "DATABASE_PASSWORD": old, "DRAIN_DELAY": "0"}
    service = await process(login, measured=True).serving()
    async with httpx.AsyncClient(base_url=service.url, timeout=60) as http:
        await sql.execute(f"ALTER ROLE {user} PASSWORD '{new}'")
        # Connections that are open outlive the change.
        assert (await http.get(f"{API}/products")).status_code == 200
        await sql.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", user
        )
        with pytest.raises(httpx.TransportError):
            while True:
                answer = await http.get(f"{API}/products")
                assert answer.json()["error"]["code"] == "database_unavailable", answer.text
                await asyncio.sleep(0.05)
    code, output = await service.ended()
    assert (code, "login_refused" in output, "draining" in output) == (0, True, True), output
    assert old not in output
    successor = await process({**login, "DATABASE_PASSWORD": new}).serving()
    async with httpx.AsyncClient(base_url=successor.url, timeout=60) as http:
        assert (await http.get(f"{API}/products")).status_code == 200
    await successor.kill()
    await sql.execute(f"DROP ROLE {user}")


async def test_a_process_from_start_to_stop(process, migrated, sql):
    service = await process({**migrated, "DRAIN_DELAY": "1"}, measured=True).serving()
    async with httpx.AsyncClient(base_url=service.url, timeout=60) as http:
        assert (await http.get("/ready")).json() == {"status": "ready", "database": "ok"}
        headers = {"traceparent": f"00-{TRACE}-{SPAN}-01", "X-Request-Id": "find-me"}
        made = await http.post(f"{API}/products", json={"sku": "lamp", **LAMP}, headers=headers)
        assert (made.status_code, made.headers["X-Request-Id"]) == (201, "find-me")
        # A statement that fails unforeseen, with all its traceback.
        await sql.execute("ALTER TABLE product.products RENAME TO mislaid")
        try:
            boom = await http.get(f"{API}/products")
        finally:
            await sql.execute("ALTER TABLE product.mislaid RENAME TO products")
        assert (boom.status_code, boom.json()["error"]["code"]) == (500, "internal_error")
        async with sql.transaction():
            await sql.execute("LOCK TABLE product.products IN ACCESS EXCLUSIVE MODE")
            slow = asyncio.create_task(http.get(f"{API}/products"))
            while not await sql.fetchval(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = "
                "(SELECT oid FROM pg_database WHERE datname = current_database())"
            ):
                await asyncio.sleep(0.02)
            service.signal()
            # The door closes, and what is under way goes on.
            with pytest.raises(httpx.TransportError):
                while True:
                    ready = await http.get("/ready")
                    assert ready.json()["status"] in ("ready", "draining")
            assert not slow.done()
        assert (await slow).status_code == 200
    code, output = await service.ended()
    assert code == 0, output
    events = [json.loads(line) for line in output.splitlines()]
    placed = next(event for event in events if event.get("request_id") == "find-me")
    assert (placed["service"], placed["trace_id"], placed["status"]) == ("product", TRACE, 201)
    assert placed["span_id"] != SPAN and len(placed["span_id"]) == 16
    assert {"unhandled_error", "draining"} <= {event["event"] for event in events}
    assert migrated["DATABASE_PASSWORD"] not in output


async def test_configuration_errors_name_variable_reason_and_cure(process, environment):
    wrong = {
        **environment,
        "DATABASE_HOST": "",
        "ROOT_PATH": "no-slash",
        "RESERVATION_SECONDS": "0",
    }
    code, output = await (await process(wrong).begin()).ended()
    assert code == 78
    messages = " ".join(json.loads(line)["message"] for line in output.splitlines())
    assert "DATABASE_HOST is not set. Name the PostgreSQL server's address." in messages
    assert "ROOT_PATH=no-slash can't be used" in messages
    assert "RESERVATION_SECONDS=0 can't be used" in messages


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"DATABASE_PORT": "1", "STARTUP_TIMEOUT": "1"}, "didn't serve within 1 s"),
        ({"DATABASE_NAME": "no_such"}, "has no database 'no_such'"),
    ],
)
async def test_a_database_that_never_comes_ends_the_start(process, environment, change, says):
    code, output = await (await process({**environment, **change}).begin()).ended()
    assert code == 69
    assert says in json.loads(output.splitlines()[-1])["message"]


async def test_other_commands(process, migrated):
    code, output = await (await process(migrated, "openapi").begin()).ended()
    assert code == 0
    described = json.loads(output)
    assert f"{API}/products/{{sku}}/reservations" in described["paths"]
    assert described["components"]["schemas"]["NewProduct"]["examples"][0]["sku"] == "brass-compass"
    code, output = await (await process(migrated, "sail").begin()).ended()
    assert (code, "'sail' is no command" in output) == (64, True)


async def test_readiness_tells_of_the_database_and_the_drain(start, migrated):
    task = await start()
    await task.app.state.database.close()
    away = await task.http.get("/ready")
    assert (away.status_code, away.json()["status"]) == (503, "not ready")
    answer = await task.http.get(f"{API}/products")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    task.app.state.lifecycle.draining = True
    draining = await task.http.get("/ready")
    assert (draining.status_code, draining.headers["Connection"]) == (503, "close")
    assert (await task.http.get("/health")).status_code == 200


@pytest.mark.parametrize(
    ("headers", "trace", "parent"),
    [
        ({"traceparent": f"00-{TRACE}-{SPAN}-01"}, TRACE, SPAN),
        ({"X-Amzn-Trace-Id": ROOT}, TRACE, None),
        ({"X-Amzn-Trace-Id": f"Self=1-x;{ROOT};Parent={SPAN};Sampled=1"}, TRACE, SPAN),
        ({"traceparent": "nonsense", "X-Amzn-Trace-Id": "nonsense"}, None, None),
    ],
)  # fmt: skip
async def test_a_span_belongs_to_the_callers_trace(start, headers, trace, parent):
    task = await start()
    await task.http.get(f"{API}/products/none", headers=headers)
    (span,) = task.spans()
    found = f"{span.context.trace_id:032x}"
    if trace:
        assert found == trace
        assert parent is None or f"{span.parent.span_id:016x}" == parent
    else:
        # X-Ray refuses a trace whose first 32 bits are not its time.
        assert span.parent is None
        assert abs(int(found[:8], 16) - span.start_time / 1e9) < 60
    assert span.name == "GET " + span.attributes["http.route"]
    assert "{sku}" in span.name
    assert span.attributes["http.response.status_code"] == 404
