"""The service as it is started: it serves, stops when asked, and refuses what it can't use."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import httpx
from conftest import POOLS, Place, event, redis_url, sold, until
from ports import free_port

ROOT = Path(__file__).parents[1]


async def begin(*words: str, **variables: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "market_data", *words,
        cwd=ROOT, env={**os.environ, **variables}, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def test_it_serves_until_it_is_asked_to_stop(place: Place) -> None:
    port = str(free_port())
    process = await begin(
        PORT=port, STREAM_NAME=place.name, REDIS_URL=redis_url(), POOLS=json.dumps(POOLS),
        DRAIN_DELAY="0.1", METRICS_SECONDS="0.2",
    )  # fmt: skip

    async def up() -> bool:
        assert process.returncode is None
        try:
            async with httpx.AsyncClient(trust_env=False) as client:
                return (await client.get(f"http://127.0.0.1:{port}/ready")).status_code == 200
        except httpx.HTTPError:
            return False

    await until(up)
    # Of the sampled trace there is a line, of the other and of what names none there is not.
    sampled, quiet = (f"00-{digit * 32}-{'5' * 16}-0{flag}" for digit, flag in ("a1", "b0"))
    told = ({"traceparent": sampled}, {"traceparent": quiet}, {}, {"traceparent": 7})
    for slot, more in enumerate(told, start=7):
        place.put(event(slot, sold(150 + slot), **more))

    async def priced() -> bool:
        return (await place.price()).get("price") == "160"

    await until(priced)
    check = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", "market_data/healthcheck.py", cwd=ROOT, env={"PORT": port}
    )
    assert await check.wait() == 0
    process.send_signal(signal.SIGTERM)
    out, _ = await process.communicate()
    assert process.returncode == 0, out
    said = [json.loads(line) for line in out.splitlines()]
    assert {"draining", "metrics"} <= {line["event"] for line in said}
    (line,) = [one for one in said if one["event"] == "priced"]
    assert (line["trace_id"], line["parent_id"], line["symbol"]) == ("a" * 32, "5" * 16, "SOL-USD")
    assert len(line["span_id"]) == 16
    (metrics, *_) = [line for line in said if line["event"] == "metrics"]
    assert metrics["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Drydock/MarketData"


async def test_what_cannot_be_used_is_said_and_ends_it() -> None:
    process = await begin(STREAM_NAME="", REDIS_URL="")
    out, _ = await process.communicate()
    assert process.returncode == 78
    assert b"STREAM_NAME is not set. Name the stream of events." in out
    process = await begin("sing")
    _, errors = await process.communicate()
    assert process.returncode == 64 and b"'sing' is no command" in errors
