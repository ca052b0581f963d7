"""Writes by the thousand, each sent twice, and a database that goes away among them."""

import asyncio
import contextlib
import json
import time

from conftest import API, ORDER, place

WRITES = 10_000
CONNECTIONS = 64


def request(key: str) -> bytes:
    body = json.dumps(ORDER)
    return (
        f"POST {API}/orders HTTP/1.1\r\nHost: x\r\nIdempotency-Key: {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """Status and body of the next answer; httpx would take most of the test's time."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    (length,) = (
        int(line.partition(":")[2])
        for line in head.split("\r\n")
        if line.lower().startswith("content-length:")
    )
    return int(head.split()[1]), json.loads(await reader.readexactly(length))


async def test_ten_thousand_writes_sent_twice_are_each_applied_once(process, migrated, sql):
    """All are offered at once on many connections; both copies of a write race each other.

    What is turned away (503) is sent again, as a client would.
    """
    told = {**migrated, "DATABASE_POOL_MAX": "8", "LOG_LEVEL": "error", "DRAIN_DELAY": "0"}
    service = await process(told, measured=False).serving()
    # Both copies side by side, so that they meet in the service.
    waiting = [f"write-{number // 2}" for number in range(2 * WRITES)][::-1]
    ids: dict[str, set[str]] = {}
    statuses: dict[int, int] = {}

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        with contextlib.closing(writer):
            while waiting:
                key = waiting.pop()
                writer.write(request(key))
                status, body = await answer(reader)
                statuses[status] = statuses.get(status, 0) + 1
                if status == 503:
                    waiting.append(key)
                    continue
                ids.setdefault(key, set()).add(body["id"])

    begin = time.monotonic()
    await asyncio.gather(*(client() for _ in range(CONNECTIONS)))
    took = time.monotonic() - begin
    print(f"{2 * WRITES / took:,.0f} writes/s in {took:.1f} s: {statuses}")
    refused = statuses.pop(503, 0)
    assert statuses == {201: WRITES, 200: WRITES}, f"and {refused} times 503"
    assert len(ids) == WRITES and all(len(one) == 1 for one in ids.values())
    stored = await sql.fetch("SELECT idempotency_key, id::text FROM orders")
    assert {row["idempotency_key"]: {row["id"]} for row in stored} == ids


async def test_the_database_goes_away_and_no_acknowledged_write_is_lost(start, sql, database_wire):
    """Three times, in the midst of writes: they resume, and every 201 is a row."""
    task = await start(
        database_host=database_wire.host,
        database_port=database_wire.port,
        database_pool_max=4,
        database_acquire_timeout=2,
    )
    acknowledged: dict[str, str] = {}
    statuses: set[int] = set()
    stop = asyncio.Event()

    async def client(number: int) -> None:
        count = 0
        while not stop.is_set():
            key = f"c{number}-{count}"
            written = await place(task.http, key=key)
            statuses.add(written.status_code)
            if written.status_code in (200, 201):
                acknowledged[key] = written.json()["id"]
                count += 1
            else:
                # With the same key: whether the write was made before the cut, nobody knows.
                assert written.headers["Retry-After"] == "1"
                await asyncio.sleep(0.01)

    async def some_more() -> None:
        goal = len(acknowledged) + 20
        async with asyncio.timeout(60):
            while len(acknowledged) < goal:
                await asyncio.sleep(0.02)

    clients = [asyncio.create_task(client(number)) for number in range(4)]
    await some_more()
    for _ in range(3):
        statuses.discard(503)
        database_wire.gone()
        async with asyncio.timeout(30):
            while 503 not in statuses:
                await asyncio.sleep(0.02)
        database_wire.up()
        await some_more()
    stop.set()
    await asyncio.gather(*clients)
    assert statuses <= {200, 201, 503}
    rows = await sql.fetch("SELECT idempotency_key, id::text FROM orders")
    stored = {row["idempotency_key"]: row["id"] for row in rows}
    assert acknowledged.items() <= stored.items()
    # Tries are paid for by first ones: an outage isn't answered with twice the load.
    assert task.app.state.counters.retries <= 10 + 0.1 * 10 * len(rows)
