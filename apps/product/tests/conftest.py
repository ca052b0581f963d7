"""A real PostgreSQL, as README.md names it, in which each run has databases of its own."""

import asyncio
import contextlib
import os
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncpg
import httpx
import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from ports import free_port

from product.app import create_app
from product.schema import ensure_schema
from product.settings import Settings

ROOT = Path(__file__).parents[1]
API = "/api/product"
LAMP = {"name": "Lamp", "description": "Burns.", "price": "34.90", "currency": "EUR", "stock": 5}


def variable(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        pytest.fail(
            f"{name} is not set: these tests need a real PostgreSQL. Start one and set the TEST_ "
            "variables that apps/product/README.md lists, or run `make apps-test`.",
            pytrace=False,
        )
    return value


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """The service's variables for the server that the tests were given."""
    return {
        "DATABASE_HOST": variable("TEST_DATABASE_HOST"),
        "DATABASE_PORT": variable("TEST_DATABASE_PORT"),
        "DATABASE_NAME": variable("TEST_DATABASE_NAME"),
        "DATABASE_USER": variable("TEST_DATABASE_USER"),
        "DATABASE_PASSWORD": variable("TEST_DATABASE_PASSWORD"),
        "DATABASE_SSL": os.environ.get("TEST_DATABASE_SSL", "disable"),
    }


def settings_for(environment: dict[str, str], **overrides: Any) -> Settings:
    values = {name.lower(): value for name, value in environment.items()}
    # A busy test machine is no fault; tests of time-outs set their own.
    patient = {"startup_timeout": 30, "database_command_timeout": 20}
    return Settings(**{**values, **patient, "database_acquire_timeout": 20, **overrides})


@contextlib.asynccontextmanager
async def new_database(environment: dict[str, str]) -> AsyncIterator[dict[str, str]]:
    """An empty database; yields the variables that name it."""
    name = f"product_test_{secrets.token_hex(4)}"
    admin = await asyncpg.connect(**settings_for(environment).database_arguments())
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
    """The tests' own connection; the service's tables start without rows."""
    connection = await asyncpg.connect(**settings_for(migrated).database_arguments())
    await connection.execute("TRUNCATE product.products CASCADE")
    yield connection
    await connection.close()


@pytest.fixture
async def start(
    migrated: dict[str, str], sql: asyncpg.Connection
) -> AsyncIterator[Callable[..., Any]]:
    """`await start(**settings)` is one task of the service: `.http`, `.app`, `.spans()`."""
    async with contextlib.AsyncExitStack() as stack:

        async def one(**overrides: Any) -> SimpleNamespace:
            exporter = InMemorySpanExporter()
            settings = settings_for(migrated, **overrides)
            app = create_app(settings, SimpleSpanProcessor(exporter))
            await stack.enter_async_context(app.router.lifespan_context(app))
            transport = httpx.ASGITransport(app=app)
            client = httpx.AsyncClient(transport=transport, base_url="http://task", timeout=60)
            await stack.enter_async_context(client)
            return SimpleNamespace(app=app, http=client, spans=exporter.get_finished_spans)

        yield one


@pytest.fixture
async def http(start: Callable[..., Any]) -> httpx.AsyncClient:
    """A client of one task; there is one product, `lamp`, five of them."""
    task = await start()
    answer = await task.http.post(f"{API}/products", json={"sku": "lamp", **LAMP})
    assert answer.status_code == 201, answer.text
    return task.http


async def reserve(http: httpx.AsyncClient, quantity: int, key: str = "") -> httpx.Response:
    """Ask for so many lamps."""
    return await http.post(
        f"{API}/products/lamp/reservations",
        json={"quantity": quantity},
        headers={"Idempotency-Key": key or secrets.token_hex(8)},
    )


class Process:
    """`python -m product` as a process of its own, on a free port."""

    def __init__(
        self, environment: dict[str, str], command: str = "serve", measured: bool = False
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = command
        self._environment = {
            **{name: value for name, value in os.environ.items() if measured and "COV" in name},
            "PATH": os.environ["PATH"],
            "STARTUP_TIMEOUT": "60",
            **environment,
            "PORT": str(self.port),
        }

    async def begin(self) -> "Process":
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "product", self._command,
            cwd=ROOT, env=self._environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        return self

    async def serving(self) -> "Process":
        """Wait until it answers."""
        await self.begin()
        async with httpx.AsyncClient() as http:
            deadline = time.monotonic() + 120
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

    async def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


@pytest.fixture
async def process() -> AsyncIterator[Callable[..., Process]]:
    """`process(environment, command)`; what still runs at the end is killed.

    `measured=True` counts it into the coverage, which makes a start several times slower.
    """
    made: list[Process] = []

    def one(*arguments: Any, **options: Any) -> Process:
        made.append(Process(*arguments, **options))
        return made[-1]

    yield one
    for each in made:
        await each.kill()
