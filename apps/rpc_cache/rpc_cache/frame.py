"""Around each request: its ids, its one log line, its last-resort error, its place in a drain."""

import re
import time
import uuid
from dataclasses import dataclass

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rpc_cache import logs, tracing
from rpc_cache.errors import INTERNAL, RpcError

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


@dataclass
class Lifecycle:
    """Where the process stands between start and stop."""

    draining: bool = False


class RequestFrame:
    """ASGI middleware; plain, because Starlette's own base class halves the throughput."""

    def __init__(self, app: ASGIApp, lifecycle: Lifecycle) -> None:
        self._app = app
        self._lifecycle = lifecycle
        self._log = logs.get()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        begin = time.perf_counter()
        headers = Headers(scope=scope)
        request_id = headers.get("x-request-id", "")
        if not _REQUEST_ID.fullmatch(request_id):
            request_id = str(uuid.uuid4())
        structlog.contextvars.clear_contextvars()
        span = tracing.begin(headers.get("traceparent", ""), headers.get("x-amzn-trace-id", ""))
        structlog.contextvars.bind_contextvars(request_id=request_id, **span.fields())
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        status, cache = 0, None

        async def send_with_ids(message: Message) -> None:
            nonlocal status, cache
            if message["type"] == "http.response.start":
                status = message["status"]
                answer = MutableHeaders(scope=message)
                cache = answer.get("x-cache")
                answer["X-Request-Id"] = request_id
                if self._lifecycle.draining:
                    # Else the load balancer would reuse a connection that is about to close.
                    answer["Connection"] = "close"
            await send(message)

        try:
            await self._app(scope, receive, send_with_ids)
        except Exception:
            self._log.exception("unhandled_error")
            if status == 0:
                error = RpcError(
                    INTERNAL, f"This is our fault. Report it with the request id {request_id}."
                )
                answer = Response(error.body(), 500, media_type="application/json")
                await answer(scope, receive, send_with_ids)
        finally:
            quiet = scope["path"].endswith(("/health", "/ready")) and status == 200
            (self._log.debug if quiet else self._log.info)(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status,
                duration_ms=round((time.perf_counter() - begin) * 1000, 2),
                **({"cache": cache} if cache else {}),
            )
