"""WebSockets: passed on to a node, message by message, under the same limits."""

import asyncio
import contextlib
from typing import Any

import orjson
import websockets
from starlette.websockets import WebSocket, WebSocketDisconnect

from rpc_cache import logs, methods, tracing
from rpc_cache.errors import INVALID, Limited, RpcError
from rpc_cache.metrics import Metrics
from rpc_cache.rpc import Rpc
from rpc_cache.settings import Settings

TRY_AGAIN_LATER = 1013
TOO_BIG = 1009


class Subscriptions:
    """Carries WebSockets between callers and nodes."""

    def __init__(self, settings: Settings, rpc: Rpc, metrics: Metrics) -> None:
        self._settings = settings
        self._rpc = rpc
        self._metrics = metrics
        self._open = 0
        self._log = logs.get(component="subscriptions")

    async def handle(self, client: WebSocket) -> None:
        """One WebSocket, until either side ends it."""
        settings = self._settings
        caller = self._rpc.callers.name(client.headers, client.client.host if client.client else "")
        await client.accept()
        if self._open >= settings.websockets_max:
            await client.close(TRY_AGAIN_LATER, "too many connections")
            return
        self._open += 1
        try:
            async with websockets.connect(
                settings.node_websocket_url,
                open_timeout=settings.node_connect_timeout,
                max_size=settings.answer_max,
                compression=None,
                proxy=None,
                additional_headers=tracing.carried(),
            ) as node:
                await self._carry(client, node, caller)
        except (OSError, TimeoutError, websockets.WebSocketException) as error:
            self._log.warning("subscription_failed", caller=caller, reason=str(error))
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await client.close(TRY_AGAIN_LATER, "no node answers")
        finally:
            self._open -= 1

    async def _carry(self, client: WebSocket, node: Any, caller: str) -> None:
        ways = [
            asyncio.create_task(self._up(client, node, caller)),
            asyncio.create_task(self._down(client, node)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            ended = await asyncio.gather(*ways, return_exceptions=True)
        for one in ended:
            if isinstance(one, Exception) and not isinstance(
                one, WebSocketDisconnect | websockets.ConnectionClosed | RuntimeError
            ):
                raise one
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            await client.close(TRY_AGAIN_LATER, "the node ended the connection")

    async def _up(self, client: WebSocket, node: Any, caller: str) -> None:
        """From the caller to the node; what is over the limit is answered here."""
        while True:
            text = await client.receive_text()
            try:
                call = orjson.loads(text)
                method = call["method"]
            except (orjson.JSONDecodeError, KeyError, TypeError):
                refused = RpcError(INVALID, "A message is one call, with a method.")
                await client.send_text(refused.body().decode())
                continue
            name = methods.metric_name(str(method))
            try:
                await self._rpc.charge(str(method), caller)
            except Limited as error:
                self._metrics.limited(name, caller)
                await client.send_text(error.body(call.get("id")).decode())
                continue
            self._metrics.called(name, caller, hit=False)
            await node.send(text)

    async def _down(self, client: WebSocket, node: Any) -> None:
        async for message in node:
            if isinstance(message, str):
                await client.send_text(message)
            else:
                await client.send_bytes(message)
