"""Calls of the nodes: bounded in number, time and size, and made again only where that is safe."""

import asyncio
import time
from typing import Any

import httpx
import orjson

from rpc_cache import tracing
from rpc_cache.errors import UNHEALTHY, NodesAway, RpcError
from rpc_cache.methods import ACTING
from rpc_cache.settings import Settings

# What a load balancer or a node's own front answers in a node's place.
_AWAY = frozenset({502, 503, 504})


class Nodes:
    """The nodes behind one address, which a load balancer spreads over."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.node_url
        self._answer_max = settings.answer_max
        self._life = settings.node_connection_life
        self._timeout = settings.node_timeout
        self._limits = httpx.Limits(max_connections=settings.node_connections, keepalive_expiry=5.0)
        # Whoever finds all connections taken waits no longer than to connect.
        self._timeouts = httpx.Timeout(
            settings.node_timeout,
            connect=settings.node_connect_timeout,
            pool=settings.node_connect_timeout,
        )
        self._client: httpx.AsyncClient | None = None
        self._made = 0.0
        self._ending: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Close all connections."""
        for task in self._ending:
            task.cancel()
        if self._client is not None:
            await self._client.aclose()

    async def ask(self, method: str, payload: bytes) -> tuple[bytes, Any]:
        """A node's answer to one JSON-RPC call: as it came, and read.

        Raises NodesAway where none is to be had, RpcError with a node's own error.
        """
        try:
            return await self._once(payload)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            retried = error  # It never got there.
        except (httpx.TimeoutException, httpx.PoolTimeout) as error:
            # Again would only double the load of nodes that are late as it is.
            raise NodesAway(_words(error), late=True) from error
        except (httpx.TransportError, NodesAway) as error:
            if method in ACTING:
                raise NodesAway(_words(error)) from error
            retried = error
        except RpcError as error:
            # One node is behind; the next connection may lead to another.
            if error.error.get("code") != UNHEALTHY or method in ACTING | {"getHealth"}:
                raise
            retried = error
        try:
            return await self._once(payload)
        except httpx.TransportError as error:
            late = isinstance(error, httpx.ReadTimeout | httpx.PoolTimeout)
            raise NodesAway(f"{_words(error)}, after {_words(retried)}", late) from error

    async def _once(self, payload: bytes) -> tuple[bytes, Any]:
        body = bytearray()
        async with self._current().stream(
            "POST", self._url, content=payload,
            headers={"Content-Type": "application/json", **tracing.carried()},
        ) as answer:  # fmt: skip
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > self._answer_max:
                    raise RpcError(
                        -32603,
                        f"The node's answer has more than {self._answer_max} bytes. "
                        "Ask for less: with a filter, a dataSlice or a limit.",
                    )
        if answer.status_code in _AWAY:
            raise NodesAway(f"HTTP {answer.status_code}")
        raw = bytes(body)
        try:
            document = orjson.loads(raw)
            failed = document.get("error")
            if not failed and "result" not in document:
                raise ValueError
        except (ValueError, AttributeError):
            raise NodesAway(f"HTTP {answer.status_code} without a JSON-RPC answer") from None
        if failed:
            raise RpcError.of_node(failed)
        return raw, document["result"]

    def _current(self) -> httpx.AsyncClient:
        """The client of the moment. Its connections hold on to their node, so it is replaced."""
        if self._client is None or time.monotonic() - self._made > self._life:
            old, self._made = self._client, time.monotonic()
            self._client = httpx.AsyncClient(
                limits=self._limits, timeout=self._timeouts, trust_env=False
            )
            if old is not None:
                task = asyncio.create_task(self._end(old))
                self._ending.add(task)
                task.add_done_callback(self._ending.discard)
        return self._client

    async def _end(self, client: httpx.AsyncClient) -> None:
        try:
            await asyncio.sleep(2 * self._timeout)  # Calls under way end first.
        finally:
            await client.aclose()


def _words(error: Exception) -> str:
    if isinstance(error, httpx.PoolTimeout):
        return "all connections to them are taken"
    return str(error).removeprefix("No node answers: ").split(". Ask")[0] or type(error).__name__
