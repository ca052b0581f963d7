"""Around each request: its ids, its one log line, its last-resort error, its place in a drain."""

import re
import time
import uuid
from dataclasses import dataclass

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from market_data import logs
from market_data.errors import refusal
from market_data.tracing import Span

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
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin = time.perf_counter()
        headers = Headers(scope=scope)
        request_id = headers.get("x-request-id", "")
        if not _REQUEST_ID.fullmatch(request_id):
            request_id = str(uuid.uuid4())
        structlog.contextvars.clear_contextvars()
        span = Span.of(headers.get("traceparent", ""), headers.get("x-amzn-trace-id", ""))
        structlog.contextvars.bind_contextvars(request_id=request_id, **span.fields())
        status = 0

        async def send_with_ids(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                answer = MutableHeaders(scope=message)
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
                answer = refusal(
                    500, "internal", "This is our fault. Report it with the request id."
                )
                await answer(scope, receive, send_with_ids)
        finally:
            quiet = scope["path"].endswith(("/health", "/ready")) and status == 200
            (self._log.debug if quiet else self._log.info)(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status,
                duration_ms=round((time.perf_counter() - begin) * 1000, 2),
            )
