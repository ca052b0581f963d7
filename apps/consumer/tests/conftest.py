"""A real PostgreSQL, and AWS by moto's server: both spoken to over sockets, as by the service.

The environment says where PostgreSQL is (README.md); its user must be allowed to create databases.
"""

import asyncio
import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import boto3
import pytest
from ports import free_port

from consumer.aws import Client
from consumer.schema import ensure_schema
from consumer.settings import Settings

ROOT = Path(__file__).parents[1]


async def until(what: Callable[[], Awaitable[Any]], seconds: float = 180) -> Any:
    """The first true value of `what`."""
    deadline = time.monotonic() + seconds
    while not (found := await what()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.05)
    return found


@pytest.fixture(scope="session", autouse=True)
def cloud() -> Iterator[str]:
    """The address of a moto server, which boto3 finds by the environment."""
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
    yield address
    process.kill()
    process.wait()


def database_variables() -> dict[str, str]:
    found = {"DATABASE_SSL": os.environ.get("TEST_DATABASE_SSL", "disable")}
    for part in ("HOST", "PORT", "NAME", "USER", "PASSWORD"):
        value = os.environ.get(f"TEST_DATABASE_{part}", "")
        if not value:
            pytest.fail(
                f"TEST_DATABASE_{part} is not set: these tests need a real PostgreSQL. Start one "
                "and set the TEST_ variables that apps/consumer/README.md lists.",
                pytrace=False,
            )
        found[f"DATABASE_{part}"] = value
    return found


def settings_for(variables: dict[str, str], **more: Any) -> Settings:
    quick = {"poll_seconds": 0.2, "retry_seconds": 0.05, "startup_timeout": 30}
    return Settings(
        **{**{name.lower(): value for name, value in variables.items()}, **quick, **more}
    )


@contextlib.asynccontextmanager
async def new_database(variables: dict[str, str], template: str) -> AsyncIterator[dict[str, str]]:
    """A copy of `template`; yields the variables that name it."""
    name = f"consumer_test_{secrets.token_hex(4)}"
    given = {**variables, "STREAM_NAME": "-", "LEASE_TABLE": "-", "DEAD_LETTER_QUEUE_URL": "-"}
    admin = await asyncpg.connect(**settings_for(given).database_arguments())
    try:
        await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield {**variables, "DATABASE_NAME": name}
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


@pytest.fixture(scope="session")
def migrated() -> Iterator[dict[str, str]]:
    """The variables of a database with the schema, from which each test has a copy."""
    with asyncio.Runner() as runner:
        manager = new_database(database_variables(), "template1")
        fresh = runner.run(manager.__aenter__())
        given = {**fresh, "STREAM_NAME": "-", "LEASE_TABLE": "-", "DEAD_LETTER_QUEUE_URL": "-"}
        runner.run(ensure_schema(settings_for(given)))
        yield fresh
        runner.run(manager.__aexit__(None, None, None))


class Place:
    """A stream, a lease table, a queue and a database of one test; and what can be seen of them."""

    def __init__(self, database: dict[str, str], shards: int) -> None:
        name = f"events-{secrets.token_hex(4)}"
        self.kinesis, self.sqs, self.dynamodb = map(boto3.client, ("kinesis", "sqs", "dynamodb"))
        self.kinesis.create_stream(StreamName=name, ShardCount=shards)
        self.dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
        )
        self.queue = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        self.name = name
        self.sql: asyncpg.Connection
        self.variables = {
            **database,
            "STREAM_NAME": name,
            "LEASE_TABLE": name,
            "DEAD_LETTER_QUEUE_URL": self.queue,
        }

    def settings(self, **more: Any) -> Settings:
        return settings_for(self.variables, **more)

    def put(self, *events: dict | bytes, key: str = "a") -> None:
        """Publishes events under their keys (bytes: under `key`), in order."""
        rows = [
            {"Data": event, "PartitionKey": key}
            if isinstance(event, bytes)
            else {"Data": json.dumps(event).encode(), "PartitionKey": event["key"]}
            for event in events
        ]
        for at in range(0, len(rows), 500):
            answer = self.kinesis.put_records(StreamName=self.name, Records=rows[at : at + 500])
            assert answer["FailedRecordCount"] == 0

    def letters(self) -> list[dict]:
        """The dead letters that can be seen now; they stay in the queue."""
        found = {}
        while True:
            answer = self.sqs.receive_message(
                QueueUrl=self.queue, MaxNumberOfMessages=10, VisibilityTimeout=20
            )
            if not answer.get("Messages"):
                break
            found |= {one["ReceiptHandle"]: json.loads(one["Body"]) for one in answer["Messages"]}
        for handle in found:
            self.sqs.change_message_visibility(
                QueueUrl=self.queue, ReceiptHandle=handle, VisibilityTimeout=0
            )
        return list(found.values())

    def leases(self) -> dict[str, dict]:
        rows = self.dynamodb.scan(TableName=self.name)["Items"]
        return {
            row["leaseKey"]["S"]: {n: next(iter(v.values())) for n, v in row.items()}
            for row in rows
        }

    def owners(self) -> list[str]:
        return [row.get("leaseOwner") for _, row in sorted(self.leases().items())]

    async def applied(self) -> int:
        return await self.sql.fetchval("SELECT count(*) FROM events.applied")

    async def out_of_order(self) -> int:
        """Events that took effect before one that came earlier in their key."""
        return await self.sql.fetchval(
            "SELECT count(*) FROM (SELECT slot - lag(slot) OVER (PARTITION BY key ORDER BY place) "
            "AS step FROM events.applied) steps WHERE step <= 0"
        )


def event(number: int, key: str = "a", **more: Any) -> dict:
    """A good event; its slot is its number."""
    return {
        "schema_version": 1,
        "id": f"{key}-{number}",
        "source": "solana",
        "type": "logs",
        "key": key,
        "slot": number,
        "time": "2026-01-01T00:00:00.000Z",
        "traceparent": f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01",
        "payload": {"err": None, "logs": []},
        **more,
    }


@pytest.fixture
async def place(migrated: dict[str, str]) -> AsyncIterator[Callable[..., Awaitable[Place]]]:
    """`await place(shards=2)`."""
    async with contextlib.AsyncExitStack() as stack:

        async def one(shards: int = 1) -> Place:
            given = database_variables()
            database = await stack.enter_async_context(
                new_database(given, migrated["DATABASE_NAME"])
            )
            found = Place(database, shards)
            found.sql = await asyncpg.connect(**found.settings().database_arguments())
            stack.push_async_callback(found.sql.close)
            return found

        yield one


@pytest.fixture
def client() -> Iterator[Callable[[str], Client]]:
    """`client("kinesis")`, as the service has it."""
    threads = ThreadPoolExecutor(8)
    yield lambda service: Client(service, threads)
    threads.shutdown(wait=False)


class Process:
    """`python -m consumer` as a process of its own, on a free port."""

    def __init__(self, variables: dict[str, str], module: str = "consumer") -> None:
        self.port = free_port()
        self._module = module
        self._environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            **{name: value for name, value in os.environ.items() if "COV" in name},
            **{name: value for name, value in os.environ.items() if name.startswith("AWS_")},
            "POLL_SECONDS": "0.2",
            "LEASE_SECONDS": "2",
            "STARTUP_TIMEOUT": "60",
            **variables,
            "PORT": str(self.port),
        }

    async def begin(self, *arguments: str) -> "Process":
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", self._module, *arguments, cwd=ROOT, env=self._environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        # Read all the time: a full pipe would stop it.
        self._output = asyncio.create_task(self._process.stdout.read())
        return self

    def ask(self, path: str) -> tuple[int, dict]:
        """Status and body; status 0 while it doesn't answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        except OSError:
            return 0, {}

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def ended(self, within: float = 60) -> tuple[int, list[dict]]:
        """Its exit code and its lines."""
        code = await asyncio.wait_for(self._process.wait(), within)
        lines = (await self._output).decode().splitlines()
        return code, [json.loads(line) for line in lines if line.startswith("{")]

    async def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._output


@pytest.fixture
async def process() -> AsyncIterator[Callable[..., Process]]:
    """`process(variables)` is one, not yet begun; what still runs at the end is killed."""
    made: list[Process] = []

    def one(*arguments: Any, **more: Any) -> Process:
        made.append(Process(*arguments, **more))
        return made[-1]

    yield one
    for each in made:
        if hasattr(each, "_process"):
            await each.kill()
