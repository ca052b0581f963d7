"""A real Redis or Valkey, a node with sockets of its own, and faults made between them.

TEST_REDIS_URL says where Redis is. The node is a stand-in: it answers as it is told, and counts.
"""

import asyncio
import contextlib
import json
import os
import secrets
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import redis.asyncio
import uvicorn
from ports import free_port
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from rpc_cache.app import create_app
from rpc_cache.settings import Settings

ROOT = Path(__file__).parents[1]


def redis_url() -> str:
    value = os.environ.get("TEST_REDIS_URL", "")
    if not value:
        pytest.fail(
            "TEST_REDIS_URL is not set: these tests need a real Redis. Start one and set it as "
            "apps/rpc_cache/README.md says.",
            pytrace=False,
        )
    return value


class Node:
    """Answers JSON-RPC calls over HTTP and subscriptions over WebSocket, on a port of its own.

    Attributes:
        calls: how often each method was asked for. most: calls at once, at most.
        peers: whose connections they came by.
        delay: seconds that each takes. answers: method → result, or what makes one of params.
        errors: method → JSON-RPC error. status: HTTP status instead of an answer.
    """

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.seen: list[bytes] = []
        self.traceparents: list[str] = []  # of each call and WebSocket; empty without one
        self.peers: set[Any] = set()
        self.delay = 0.0
        self.now = self.most = 0
        self.answers: dict[str, Any] = {}
        self.errors: dict[str, dict] = {}
        self.status = 200
        self.slot = 1000
        app = Starlette(
            routes=[
                Route("/", self._http, methods=["POST"]),
                WebSocketRoute("/", self._socket),
            ]
        )
        config = uvicorn.Config(app, port=0, log_level="error", ws="websockets-sansio")
        self._server = uvicorn.Server(config)
        self._server.capture_signals = contextlib.nullcontext

    async def start(self, port: int = 0) -> "Node":
        self._server.config.port = port
        self._task = asyncio.create_task(self._server.serve())
        while not self._server.started:
            await asyncio.sleep(0.005)
        self.port = self._server.servers[0].sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        self._server.should_exit = self._server.force_exit = True
        await self._task

    async def _http(self, request: Request) -> Response:
        body = await request.body()
        self.seen.append(body)
        self.traceparents.append(request.headers.get("traceparent", ""))
        self.peers.add(request.client)
        call = json.loads(body)
        self.calls[call["method"]] += 1
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(self.delay)
        finally:
            self.now -= 1
        if self.status != 200:
            return Response("no", self.status)
        return Response(json.dumps(self._answer(call)), media_type="application/json")

    def _answer(self, call: dict) -> dict:
        method = call["method"]
        answer = {"jsonrpc": "2.0", "id": call["id"]}
        if method in self.errors:
            return {**answer, "error": self.errors[method]}
        self.slot += 1
        result = self.answers.get(method, self.slot)
        return {**answer, "result": result(call) if callable(result) else result}

    async def _socket(self, socket: WebSocket) -> None:
        await socket.accept()
        self.traceparents.append(socket.headers.get("traceparent", ""))
        async for text in socket.iter_text():
            call = json.loads(text)
            self.calls[call["method"]] += 1
            if call["method"] == "bye":
                await socket.close()
                return
            await socket.send_text(json.dumps({"jsonrpc": "2.0", "result": 7, "id": call["id"]}))
            if call["method"] == "slotSubscribe":
                for slot in range(3):
                    note = {"subscription": 7, "result": {"slot": slot}}
                    await socket.send_text(json.dumps({"method": "slotNotification", **note}))


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    one = await Node().start()
    yield one
    await one.stop()


@pytest.fixture
async def cache_server() -> AsyncIterator[redis.asyncio.Redis]:
    """The tests' own connection to Redis; the service's keys are gone."""
    client = redis.asyncio.Redis.from_url(redis_url())
    if keys := [key async for key in client.scan_iter("rpc_cache:*")]:
        await client.delete(*keys)
    yield client
    await client.aclose()


def settings_for(node: Node, **more: Any) -> dict[str, Any]:
    return {
        "node_url": f"http://127.0.0.1:{node.port}",
        "node_websocket_url": f"ws://127.0.0.1:{node.port}",
        "redis_url": redis_url(),
        "redis_timeout": 2,
        "caller_rate": 10000,
        **more,
    }


class Task(SimpleNamespace):
    """One task of the service: `.http`, `.app`, and calls of it."""

    async def post(self, body: Any, caller: str = "198.51.100.1", **more: Any) -> httpx.Response:
        content = body if isinstance(body, bytes | str) else json.dumps(body)
        headers = {"X-Forwarded-For": caller, **more.pop("headers", {})}
        return await self.http.post("/rpc", content=content, headers=headers, **more)

    async def call(self, method: str, *params: Any, caller: str = "198.51.100.1") -> httpx.Response:
        return await self.post(
            {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}, caller
        )

    async def result(self, method: str, *params: Any, caller: str = "198.51.100.1") -> Any:
        return (await self.call(method, *params, caller=caller)).json()["result"]


@pytest.fixture
async def start(node: Node, cache_server: redis.asyncio.Redis) -> AsyncIterator[Callable[..., Any]]:
    """`await start(**settings)` is one task of the service."""
    async with contextlib.AsyncExitStack() as stack:

        async def one(**overrides: Any) -> Task:
            app = create_app(Settings(**settings_for(node, **overrides)))
            await stack.enter_async_context(app.router.lifespan_context(app))
            client = httpx.AsyncClient(
                transport=httpx.ASGITransport(app=app), base_url="http://task", timeout=30
            )
            await stack.enter_async_context(client)
            return Task(app=app, http=client)

        yield one


class Wire:
    """A TCP relay to Redis that can be cut ("gone") or go silent ("silent")."""

    def __init__(self) -> None:
        parts = urlsplit(redis_url())
        self._target = (parts.hostname, parts.port or 6379)
        self._state = "up"
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self) -> "Wire":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = urlsplit(redis_url())._replace(netloc=f"127.0.0.1:{port}").geturl()
        return self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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
            writer.write(data)
        writer.close()

    def gone(self) -> None:
        self._state = "gone"
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()

    def silent(self) -> None:
        self._state = "silent"

    def up(self) -> None:
        self._state = "up"

    async def close(self) -> None:
        self.gone()
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest.fixture
async def redis_wire() -> AsyncIterator[Wire]:
    wire = await Wire().listen()
    yield wire
    await wire.close()


class Process:
    """`python -m rpc_cache` as a process of its own, on a free port."""

    def __init__(self, variables: dict[str, str]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            **{name: value for name, value in os.environ.items() if "COV" in name},
            **variables,
            "PORT": str(self.port),
        }

    async def begin(self, *arguments: str) -> "Process":
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "rpc_cache", *arguments, cwd=ROOT, env=self._environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        return self

    async def serving(self) -> "Process":
        """Wait until it answers."""
        await self.begin()
        async with httpx.AsyncClient() as http:
            deadline = time.monotonic() + 60
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if (await http.get(f"{self.url}/health")).status_code == 200:
                        return self
                if self._process.returncode is not None or time.monotonic() > deadline:
                    pytest.fail(f"the service didn't start:\n{await self.ended()}")
                await asyncio.sleep(0.05)

    def signal(self, number: int = signal.SIGTERM) -> None:
        self._process.send_signal(number)

    async def ended(self, within: float = 60) -> tuple[int, str]:
        """Its exit code and all that it printed."""
        output, _ = await asyncio.wait_for(self._process.communicate(), within)
        return self._process.returncode, output.decode()

    async def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


@pytest.fixture
async def process(
    node: Node, cache_server: redis.asyncio.Redis
) -> AsyncIterator[Callable[..., Process]]:
    """`process(**variables)` is one, not yet begun; ended with the test."""
    made: list[Process] = []

    def one(**variables: str) -> Process:
        given = {name.upper(): str(value) for name, value in settings_for(node).items()}
        made.append(Process({**given, **variables}))
        return made[-1]

    yield one
    for service in made:
        await service.kill()


def account() -> str:
    """An account's address that no other test asks for."""
    return secrets.token_hex(16)
