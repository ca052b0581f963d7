"""AWS by moto's server, and a node with sockets of its own that forgets, drops and falls silent."""

import asyncio
import contextlib
import json
import os
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
import uvicorn
from botocore.exceptions import EndpointConnectionError
from ports import free_port
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from listener.aws import Client
from listener.service import Service
from listener.settings import Settings

ONE, TWO = "1" * 40, "2" * 40


async def until(what: Callable[[], Any], seconds: float = 180) -> Any:
    """The first true value of `what`."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
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


class Node:
    """A chain in memory, by JSON-RPC and WebSocket on one port.

    Attributes:
        slot: the newest. chain: account → (signature, slot), oldest first.
        mute: notifications of logs are lost. calls: methods asked for over HTTP.
    """

    def __init__(self) -> None:
        self.slot = 100
        self.chain: dict[str, list[tuple[str, int]]] = {ONE: [], TWO: []}
        self.mute = False
        self.calls: list[str] = []
        self._sockets: dict[WebSocket, dict[int, str]] = {}
        app = Starlette(
            routes=[Route("/", self._http, methods=["POST"]), WebSocketRoute("/", self._socket)]
        )
        config = uvicorn.Config(app, port=0, log_level="error", ws="websockets-sansio")
        self._server = uvicorn.Server(config)
        self._server.capture_signals = contextlib.nullcontext

    async def start(self) -> "Node":
        self._task = asyncio.create_task(self._server.serve())
        while not self._server.started:
            await asyncio.sleep(0.005)
        self.port = self._server.servers[0].sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        self._server.should_exit = self._server.force_exit = True
        await self._task

    @property
    def followers(self) -> int:
        """Connections that follow all accounts."""
        return sum(len(of) == 3 for of in self._sockets.values())

    async def transact(self, account: str, count: int = 1) -> list[str]:
        """So many transactions, each in a slot of its own, told to who listens."""
        made = []
        for _ in range(count):
            self.slot += 1
            signature = secrets.token_hex(40)
            self.chain[account].append((signature, self.slot))
            made.append(signature)
            value = {"signature": signature, "err": None, "logs": [f"log of {signature}"]}
            if not self.mute:
                await self._tell(
                    account, "logsNotification", {"context": {"slot": self.slot}, "value": value}
                )
            await self.tick(self.slot - 1)
        return made

    async def tick(self, parent: int | None = None) -> None:
        """Tells of the newest slot."""
        parent = self.slot - 1 if parent is None else parent
        told = {"slot": self.slot, "parent": parent, "root": 0}
        await self._tell("slots", "slotNotification", told)

    async def drop(self) -> None:
        """Ends all connections."""
        for one in list(self._sockets):
            self._sockets.pop(one)
            await one.close(1011)

    async def _tell(self, of: str, method: str, result: Any) -> None:
        for one, subscriptions in list(self._sockets.items()):
            for number, name in subscriptions.items():
                if name == of:
                    note = {"subscription": number, "result": result}
                    with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                        await one.send_text(json.dumps({"method": method, "params": note}))

    async def _socket(self, one: WebSocket) -> None:
        await one.accept()
        self._sockets[one] = {}
        async for text in one.iter_text():
            call = json.loads(text)
            slots = call["method"] == "slotSubscribe"
            name = "slots" if slots else call["params"][0]["mentions"][0]
            number = len(self._sockets[one]) + 1
            self._sockets[one][number] = name
            await one.send_text(json.dumps({"jsonrpc": "2.0", "result": number, "id": call["id"]}))
        self._sockets.pop(one, None)

    async def _http(self, request: Request) -> JSONResponse:
        call = await request.json()
        self.calls.append(call["method"])
        return JSONResponse({"jsonrpc": "2.0", "id": 1, **self._answer(call)})

    def _answer(self, call: dict) -> dict:
        match call["method"], call["params"]:
            case "getSlot", _:
                return {"result": self.slot}
            case "getTransaction", [signature, _]:
                return {"result": {"meta": {"logMessages": [f"log of {signature}"]}}}
            case "getSignaturesForAddress", [account, options]:
                if options["minContextSlot"] > self.slot:
                    return {"error": {"code": -32016, "message": "Minimum context slot"}}
                rows = [
                    {"signature": signature, "slot": slot, "err": None}
                    for signature, slot in reversed(self.chain[account])
                ]
                names = [row["signature"] for row in rows]
                start = names.index(options["before"]) + 1 if "before" in options else 0
                return {"result": rows[start : start + options["limit"]]}
        return {"error": {"code": -32601, "message": "Method not found"}}


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    one = await Node().start()
    yield one
    await one.stop()


class Place:
    """A stream and a lease table of one test."""

    def __init__(self, node: Node) -> None:
        self.kinesis, self.dynamodb = boto3.client("kinesis"), boto3.client("dynamodb")
        self.name = f"events-{secrets.token_hex(4)}"
        self.kinesis.create_stream(StreamName=self.name, ShardCount=2)
        self.dynamodb.create_table(
            TableName=self.name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
        )
        self.variables = {
            "node_url": f"http://127.0.0.1:{node.port}",
            "node_websocket_url": f"ws://127.0.0.1:{node.port}",
            "accounts": f"{ONE},{TWO}",
            "stream_name": self.name,
            "lease_table": self.name,
        }

    def settings(self, **more: Any) -> Settings:
        quick = {"lease_seconds": 2, "reconnect_seconds": 0.05, "retry_seconds": 0.02}
        return Settings(**{**self.variables, **quick, "worker_id": "one", **more})

    def published(self, key: str) -> list[dict]:
        """Envelopes under a key, in the stream's order."""
        found = []
        for shard in self.kinesis.list_shards(StreamName=self.name)["Shards"]:
            iterator = self.kinesis.get_shard_iterator(
                StreamName=self.name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            rows = self.kinesis.get_records(ShardIterator=iterator)["Records"]
            found += [json.loads(row["Data"]) for row in rows if row["PartitionKey"] == key]
        return found

    def signatures(self, account: str) -> list[str]:
        """Of what is published of an account, in order, each where it came first."""
        found = [event["payload"]["signature"] for event in self.published(account)]
        return list(dict.fromkeys(found))

    def row(self) -> dict[str, Any]:
        key = {"leaseKey": {"S": "listener"}}
        return self.dynamodb.get_item(TableName=self.name, Key=key).get("Item", {})


@pytest.fixture
def place(node: Node) -> Place:
    return Place(node)


@pytest.fixture
async def start(place: Place) -> AsyncIterator[Callable[..., Any]]:
    """`start(**settings)` is a running service and its task; `kill(task)` crashes it."""
    threads = ThreadPoolExecutor(8)
    tasks: list[asyncio.Task] = []

    def one(kinesis: Any = None, **more: Any) -> tuple[Service, asyncio.Task]:
        settings = place.settings(**more)
        service = Service(
            settings, kinesis or Client("kinesis", threads), Client("dynamodb", threads)
        )
        tasks.append(asyncio.create_task(service.run()))
        return service, tasks[-1]

    yield one
    for task in tasks:
        await kill(task)
    threads.shutdown(wait=False)


async def kill(task: asyncio.Task) -> None:
    """Ends a service without a drain."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


class Faulty:
    """Kinesis that refuses as told before it passes on.

    Attributes:
        away: every request fails. turn: requests so far; of each third the first record is refused.
        keys: of each request's records.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self.away = False
        self.turn = 0
        self.keys: list[list[str]] = []

    async def call(self, operation: str, **arguments: Any) -> Any:
        if self.away:
            raise EndpointConnectionError(endpoint_url="kinesis")
        rows = arguments.pop("Records")
        self.keys.append([row["PartitionKey"] for row in rows])
        self.turn += 1
        if self.turn % 3:
            return await self._client.call(operation, Records=rows, **arguments)
        # The first is refused, the others are taken: what a throttled shard does.
        said = [{"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "no"}]
        if rows[1:]:
            answer = await self._client.call(operation, Records=rows[1:], **arguments)
            said += answer["Records"]
        return {"Records": said, "FailedRecordCount": 1}


@pytest.fixture
def faulty() -> Iterator[Faulty]:
    threads = ThreadPoolExecutor(4)
    yield Faulty(Client("kinesis", threads))
    threads.shutdown(wait=False)
