"""What a task takes and what it turns away: so many requests, so many bytes, so much time."""

import asyncio
import json

import pytest
from conftest import API, ORDER, blocked, place


async def test_more_than_it_takes_is_turned_away_at_once(start, sql):
    task = await start(requests_max=3, database_pool_max=2, database_acquire_timeout=20)
    async with sql.transaction():
        await sql.execute("LOCK TABLE instruments IN ACCESS EXCLUSIVE MODE")
        held = [asyncio.create_task(task.http.get(f"{API}/instruments")) for _ in range(3)]
        assert await blocked(sql, "FROM instruments", at_least=2) == 2
        refused = await task.http.get(f"{API}/instruments")
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert refused.json()["error"]["code"] == "task_busy"
        # A task that is full is not ill.
        assert (await task.http.get("/health")).status_code == 200
    assert {answer.status_code for answer in await asyncio.gather(*held)} == {200}
    assert (await task.http.get(f"{API}/instruments")).status_code == 200
    assert (task.app.state.counters.shed, task.app.state.counters.peak) == (1, 3)


async def test_a_large_body_is_refused_declared_or_not(start, sql):
    http = (await start(body_bytes_max=1000)).http
    headers = {"Idempotency-Key": "large", "Content-Type": "application/json"}
    body = json.dumps({**ORDER, "note": "x" * 1000}).encode()

    async def undeclared():
        yield body[:600]
        yield body[600:]

    for content in (body, undeclared()):
        answer = await http.post(f"{API}/orders", content=content, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")
        assert answer.headers["Connection"] == "close"
    assert (await place(http)).status_code == 201


async def talk(service, *parts, pause=0.0):
    """Send raw bytes part by part; all that comes back until the other side closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        async with asyncio.timeout(30):
            return (await reader.read()).decode()
    except ConnectionError:
        return ""
    finally:
        writer.close()


@pytest.fixture
async def service(process, migrated):
    return await process({**migrated, "RECEIVE_TIMEOUT": "1", "DRAIN_DELAY": "0"}).serving()


HEAD = (
    f"POST {API}/orders HTTP/1.1\r\nHost: x\r\nIdempotency-Key: slow\r\n"
    "Content-Type: application/json\r\n"
).encode()


async def test_slow_and_endless_senders_are_ended(service):
    late_body = await talk(service, HEAD + b"Content-Length: 50\r\n\r\n{")
    assert late_body.startswith("HTTP/1.1 408 ") and '"request_timeout"' in late_body
    late_headers = await talk(service, HEAD)
    assert late_headers.startswith("HTTP/1.1 408 ")
    endless = await talk(service, HEAD + b"X-Long: " + b"y" * 40_000)
    assert endless.startswith("HTTP/1.1 431 ")
    # A second request on a connection is watched as the first.
    second = await talk(service, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n", HEAD, pause=0.2)
    assert second.startswith("HTTP/1.1 200 ") and "HTTP/1.1 408 " in second
    # The control: slow but in time.
    body = json.dumps(ORDER).encode()
    head = HEAD + f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    fine = await talk(service, head[:20], head[20:], body[:10], body[10:], pause=0.05)
    assert fine.startswith("HTTP/1.1 201 "), fine


async def test_a_broken_request_line_is_400(service):
    for wrong in (b"NONSENSE\r\n\r\n", b"GET / HTTP/1.1\r\nBad Header\r\n\r\n"):
        assert (await talk(service, wrong)).startswith("HTTP/1.1 400 ")
    smuggled = HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    answer = await talk(service, smuggled)
    assert answer.startswith("HTTP/1.1 4")
