"""Around each request: its ids, its one log line, its last-resort error, its place in a drain."""

import re
import time
import uuid
from dataclasses import dataclass

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trading_api import errors, logs
from trading_api.tracing import Span

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


@dataclass
class Lifecycle:
    """Where the process stands between start and stop."""

    draining: bool = False


class RequestFrame:
    """ASGI middleware; plain, because Starlette's own base class halves the throughput.

    Around the application rather than in its stack, whose own layers no hot read needs.
    """

    def __init__(self, app: ASGIApp, lifecycle: Lifecycle) -> None:
        self._app = app
        self._lifecycle = lifecycle
        self._log = logs.get().bind()  # what get() gives makes a logger at each line

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin = time.perf_counter()
        # Plainly, here and below: this is a part of every request.
        headers = dict(scope["headers"])
        request_id = headers.get(b"x-request-id", b"").decode("latin-1")
        if not _REQUEST_ID.fullmatch(request_id):
            request_id = str(uuid.uuid4())
        structlog.contextvars.clear_contextvars()
        span = Span.of(
            headers.get(b"traceparent", b"").decode("latin-1"),
            headers.get(b"x-amzn-trace-id", b"").decode("latin-1"),
        )
        structlog.contextvars.bind_contextvars(request_id=request_id, **span.fields())
        status, cache = 0, None

        async def send_with_ids(message: Message) -> None:
            nonlocal status, cache
            if message["type"] == "http.response.start":
                status = message["status"]
                answer = message["headers"]
                for name, value in answer:
                    if name == b"x-cache":
                        cache = value.decode()
                answer.append((b"x-request-id", request_id.encode()))
                if self._lifecycle.draining:
                    # Else the load balancer would reuse a connection that is about to close.
                    answer[:] = [one for one in answer if one[0] != b"connection"]
                    answer.append((b"connection", b"close"))
            await send(message)

        try:
            await self._app(scope, receive, send_with_ids)
        except Exception:
            self._log.exception("unhandled_error")
            if status == 0:
                await errors.internal()(scope, receive, send_with_ids)
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
