"""Real PostgreSQL, real Redis or Valkey, and faults made on the wire between them and the service.

The environment says where they are (README.md). PostgreSQL's user must be
allowed to create databases: each run works in one of its own.
"""

import asyncio
import contextlib
import os
import secrets
import signal
import ssl
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest
import redis.asyncio
from ports import free_port

from trading_api.app import create_app, front
from trading_api.schema import ensure_schema
from trading_api.settings import Settings

ROOT = Path(__file__).parents[1]
API = "/api/trading"


def variable(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        pytest.fail(
            f"{name} is not set: these tests need a real PostgreSQL and a real Redis. "
            "Start both and set the TEST_ variables that apps/trading_api/README.md lists.",
            pytrace=False,
        )
    return value


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """The service's variables for the servers that the tests were given."""
    return {
        "DATABASE_HOST": variable("TEST_DATABASE_HOST"),
        "DATABASE_PORT": variable("TEST_DATABASE_PORT"),
        "DATABASE_NAME": variable("TEST_DATABASE_NAME"),
        "DATABASE_USER": variable("TEST_DATABASE_USER"),
        "DATABASE_PASSWORD": variable("TEST_DATABASE_PASSWORD"),
        "DATABASE_SSL": os.environ.get("TEST_DATABASE_SSL", "disable"),
        "REDIS_URL": variable("TEST_REDIS_URL"),
    }


def settings_for(environment: dict[str, str], **overrides: Any) -> Settings:
    values = {name.lower(): value for name, value in environment.items()}
    # A busy test machine is no fault; tests of time-outs set their own.
    patient = {"startup_timeout": 30, "redis_timeout": 2, "database_command_timeout": 20}
    return Settings(**{**values, **patient, **overrides})


@contextlib.asynccontextmanager
async def new_database(environment: dict[str, str]) -> AsyncIterator[dict[str, str]]:
    """An empty database; yields the variables that name it."""
    given = settings_for(environment).database_arguments()
    name = f"trading_test_{secrets.token_hex(4)}"
    admin = await asyncpg.connect(**given)
    try:
        await admin.execute(f"CREATE DATABASE {name}")
        try:
            yield {**environment, "DATABASE_NAME": name}
        finally:
            await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


@pytest.fixture(scope="session")
def migrated(environment: dict[str, str]) -> Any:
    """The variables of one migrated database for the whole run."""
    with asyncio.Runner() as runner:
        manager = new_database(environment)
        fresh = runner.run(manager.__aenter__())
        try:
            runner.run(ensure_schema(settings_for(fresh)))
            yield fresh
        finally:
            runner.run(manager.__aexit__(None, None, None))


@pytest.fixture
async def empty_database(environment: dict[str, str]) -> AsyncIterator[dict[str, str]]:
    """The variables of a database without a schema."""
    async with new_database(environment) as fresh:
        yield fresh


@pytest.fixture
async def sql(migrated: dict[str, str]) -> AsyncIterator[asyncpg.Connection]:
    """The tests' own connection; the service's tables start without orders."""
    connection = await asyncpg.connect(**settings_for(migrated).database_arguments())
    await connection.execute("TRUNCATE orders, fills")
    await connection.execute("UPDATE instruments SET status = 'open'")
    yield connection
    await connection.close()


@pytest.fixture
async def cache_server(environment: dict[str, str]) -> AsyncIterator[redis.asyncio.Redis]:
    """The tests' own connection to Redis; the service's keys are gone."""
    client = redis.asyncio.Redis.from_url(environment["REDIS_URL"])
    if keys := [key async for key in client.scan_iter("trading_api:*")]:
        await client.delete(*keys)
    yield client
    await client.aclose()


Start = Callable[..., Any]


@pytest.fixture
async def start(
    migrated: dict[str, str], sql: asyncpg.Connection, cache_server: redis.asyncio.Redis
) -> AsyncIterator[Start]:
    """`await start(**settings)` is one task of the service: `.http`, `.app`."""
    async with contextlib.AsyncExitStack() as stack:

        async def one(**overrides: Any) -> SimpleNamespace:
            app = create_app(settings_for(migrated, **overrides))
            await stack.enter_async_context(app.router.lifespan_context(app))
            transport = httpx.ASGITransport(app=front(app))
            client = httpx.AsyncClient(transport=transport, base_url="http://task", timeout=30)
            await stack.enter_async_context(client)
            return SimpleNamespace(app=app, http=client, cache=app.state.cache)

        yield one


class Wire:
    """A TCP relay to a real server that can be cut ("gone"), go silent ("silent") or be slow."""

    def __init__(self, host: str, port: int, at: str = "127.0.0.1", on: int = 0) -> None:
        self.host, self.port = at, on
        self.connections = 0
        self._target = (host, port)
        self._state = "up"
        self._seconds = 0.0
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, tls: ssl.SSLContext | None = None) -> "Wire":
        self._server = await asyncio.start_server(self._serve, self.host, self.port, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        self._tasks.add(asyncio.current_task())
        try:
            if self._state == "gone":
                return
            there_reader, there_writer = await asyncio.open_connection(*self._target)
            self._open.add(there_writer)
            await asyncio.gather(self._pump(reader, there_writer), self._pump(there_reader, writer))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            while self._state == "silent":
                await asyncio.sleep(0.02)
            await asyncio.sleep(self._seconds)
            writer.write(data)
        writer.close()

    def gone(self) -> None:
        self._state = "gone"
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()

    def silent(self) -> None:
        self._state = "silent"

    def slow(self, seconds: float) -> None:
        """Each message takes so much longer, each way."""
        self._seconds = seconds

    def up(self) -> None:
        self._state, self._seconds = "up", 0.0

    async def close(self) -> None:
        self.gone()
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest.fixture
async def database_wire(environment: dict[str, str]) -> AsyncIterator[Wire]:
    wire = Wire(environment["DATABASE_HOST"], int(environment["DATABASE_PORT"]))
    yield await wire.listen()
    await wire.close()


@pytest.fixture
async def redis_wire(environment: dict[str, str]) -> AsyncIterator[Wire]:
    parts = urlsplit(environment["REDIS_URL"])
    wire = Wire(parts.hostname, parts.port or 6379)
    yield await wire.listen()
    await wire.close()


def redis_url(environment: dict[str, str], wire: Wire, scheme: str | None = None) -> str:
    """REDIS_URL through `wire`."""
    parts = urlsplit(environment["REDIS_URL"])
    login = parts.netloc.rpartition("@")[0]
    netloc = f"{login}@{wire.host}:{wire.port}" if login else f"{wire.host}:{wire.port}"
    return parts._replace(netloc=netloc, scheme=scheme or parts.scheme).geturl()


class Process:
    """`python -m trading_api` as a process of its own, on a free port."""

    def __init__(
        self, environment: dict[str, str], command: str = "serve", measured: bool = True
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = command
        self._environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            **{name: value for name, value in os.environ.items() if measured and "COV" in name},
            "STARTUP_TIMEOUT": "60",
            "DATABASE_COMMAND_TIMEOUT": "60",
            **environment,
            "PORT": str(self.port),
        }

    async def begin(self) -> "Process":
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "trading_api",
            self._command,
            cwd=ROOT,
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        return self

    async def serving(self) -> "Process":
        """Wait until it answers."""
        await self.begin()
        async with httpx.AsyncClient() as http:
            deadline = time.monotonic() + 180
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if (await http.get(f"{self.url}/health")).status_code == 200:
                        return self
                if self._process.returncode is not None or time.monotonic() > deadline:
                    pytest.fail(f"the service didn't start:\n{await self.ended()}")
                await asyncio.sleep(0.05)

    def signal(self, number: int = signal.SIGTERM) -> None:
        self._process.send_signal(number)

    async def ended(self, within: float = 120) -> tuple[int, str]:
        """Its exit code and all that it printed."""
        output, _ = await asyncio.wait_for(self._process.communicate(), within)
        return self._process.returncode, output.decode()

    async def begin_and_end(self) -> tuple[int, str]:
        """Run it to its end."""
        await self.begin()
        return await self.ended()

    def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()


@pytest.fixture
async def process() -> AsyncIterator[Callable[..., Process]]:
    """`process(environment, command)`; what still runs at the end is killed.

    `measured=False` leaves it out of the coverage, which makes a start several times slower.
    """
    made: list[Process] = []

    def one(*arguments: Any, **options: Any) -> Process:
        made.append(Process(*arguments, **options))
        return made[-1]

    yield one
    for each in made:
        if hasattr(each, "_process"):
            each.kill()
            await each._process.wait()


ORDER = {"symbol": "SOL-USD", "side": "buy", "quantity": "1.5", "price": "101.25"}


async def place(http: httpx.AsyncClient, key: str = "", **changes: Any) -> httpx.Response:
    """POST an order."""
    headers = {"Idempotency-Key": key or secrets.token_hex(8)}
    return await http.post(f"{API}/orders", json={**ORDER, **changes}, headers=headers)


async def blocked(sql: asyncpg.Connection, like: str, at_least: int = 1) -> int:
    """Wait until so many statements that contain `like` queue for a lock; how many do."""
    deadline = time.monotonic() + 10
    while True:
        # Within a transaction PostgreSQL would show the same picture again and again.
        await sql.execute("SELECT pg_stat_clear_snapshot()")
        count = await sql.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND wait_event_type = 'Lock' AND query LIKE $1",
            f"%{like}%",
        )
        if count >= at_least or time.monotonic() > deadline:
            return count
        await asyncio.sleep(0.02)
