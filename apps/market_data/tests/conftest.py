"""A real Redis or Valkey, and Kinesis by moto's server: both spoken to over sockets.

TEST_REDIS_URL says where Redis is (README.md).
"""

import asyncio
import base64
import contextlib
import json
import os
import secrets
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import boto3
import httpx
import pytest
import redis.asyncio
import uvicorn
from ports import free_port

from market_data.app import create_app
from market_data.settings import Settings

POOL = "58oQChx4yWmvKdwLLZzBi4ChoCc2fqCUWBkwMihLYQo2"
POOLS = {POOL: {"symbol": "SOL-USD", "base_decimals": 9, "quote_decimals": 6}}


def redis_url() -> str:
    value = os.environ.get("TEST_REDIS_URL", "")
    if not value:
        pytest.fail(
            "TEST_REDIS_URL is not set: these tests need a real Redis. Start one and set it as "
            "apps/market_data/README.md says.",
            pytrace=False,
        )
    return value


async def until(what: Callable[[], Awaitable[Any]], seconds: float = 60) -> Any:
    """The first true value of `what`."""
    deadline = time.monotonic() + seconds
    while not (found := await what()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.02)
    return found


@pytest.fixture(scope="session", autouse=True)
def cloud() -> Iterator[None]:
    """A moto server, which boto3 finds by the environment."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if "COV" not in name},
    )
    address = f"http://127.0.0.1:{port}"
    os.environ.update(
        AWS_ENDPOINT_URL=address,
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        AWS_DEFAULT_REGION="eu-central-1",
    )
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{address}/moto-api/", timeout=5).close()
            break
        assert process.poll() is None and time.monotonic() < deadline, "moto didn't start"
        time.sleep(0.1)
    yield
    process.kill()
    process.wait()


def ray_log(kind: int, first: int, second: int, direction: int, last: int) -> str:
    """A line as the program logs it."""
    packed = struct.pack("<B7Q", kind, first, second, direction, 0, 0, 0, last)
    return f"Program log: ray_log: {base64.b64encode(packed).decode()}"


def sold(dollars: int) -> list[str]:
    """What a transaction logs in which one SOL went for so many dollars."""
    swap = ray_log(3, 1_000_000_000, 1, 2, dollars * 1_000_000)
    return ["Program 675k invoke [1]", swap, "Program 675k success"]


def event(slot: int, logs: Any, **more: Any) -> dict[str, Any]:
    """As apps/listener publishes it."""
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000+00:00", time.gmtime())
    payload = {"signature": f"s{slot}", "err": None, "logs": logs}
    return {"id": f"s{slot}:{POOL}", "type": "logs", "key": POOL, "slot": slot, "time": now,
            "payload": payload, **more}  # fmt: skip


class Place:
    """A stream and a Redis database of one test."""

    def __init__(self, shards: int = 1) -> None:
        self.name = f"events-{secrets.token_hex(4)}"
        self.kinesis = boto3.client("kinesis")
        self.kinesis.create_stream(StreamName=self.name, ShardCount=shards)
        self.redis = redis.asyncio.Redis.from_url(redis_url(), decode_responses=True)

    def settings(self, **more: Any) -> Settings:
        quick = {"poll_seconds": 0.2, "reader_seconds": 1, "keepalive_seconds": 0.6,
                 "metrics_seconds": 0.2, "drain_delay": 0, "worker_id": "one"}  # fmt: skip
        given = {"stream_name": self.name, "redis_url": redis_url(), "pools": POOLS}
        return Settings(**{**given, **quick, **more})

    def put(self, *events: dict[str, Any] | bytes) -> None:
        for one in events:
            data = one if isinstance(one, bytes) else json.dumps(one).encode()
            self.kinesis.put_record(StreamName=self.name, PartitionKey=POOL, Data=data)

    async def price(self) -> dict[str, Any]:
        return json.loads(await self.redis.get("market:1:price:SOL-USD") or "{}")


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    one = Place()
    await one.redis.flushdb()
    yield one
    await one.redis.aclose()


@contextlib.asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A task of the service, and who asks it."""
    app = create_app(settings)
    config = uvicorn.Config(app, port=0, log_level="error", lifespan="on")
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext
    task = asyncio.create_task(server.serve())
    while not server.started:
        assert not task.done()
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    base = f"http://127.0.0.1:{port}{settings.root_path}"
    async with httpx.AsyncClient(base_url=base, timeout=20, trust_env=False) as client:
        client.lifecycle = app.state.lifecycle  # type: ignore[attr-defined]
        yield client
    app.state.lifecycle.draining = True
    server.should_exit = True
    await task
