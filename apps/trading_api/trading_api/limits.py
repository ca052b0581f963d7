"""What a request may take: a place among those under way, so many bytes, so much time.

Beyond its capacity a service that takes everything answers nothing in time. So a task takes
as much as it can answer and turns the rest away at once, with 503 and Retry-After.
"""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trading_api import errors
from trading_api.metrics import Counters
from trading_api.settings import Settings

_ALWAYS = ("/health", "/ready")


class Limits:
    """ASGI middleware. It counts requests under way and watches their bodies come in."""

    def __init__(self, app: ASGIApp, settings: Settings, counters: Counters) -> None:
        self._app = app
        self._settings = settings
        self._counters = counters
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].endswith(_ALWAYS):
            await self._app(scope, receive, send)
            return
        if self._under_way >= self._settings.requests_max:
            self._counters.shed += 1
            await errors.refused(
                errors.Unavailable(
                    "task_busy",
                    f"This task has {self._under_way} requests under way, which is all it takes. "
                    "Try again.",
                )
            )(scope, receive, send)
            return
        self._under_way += 1
        self._counters.peak = max(self._counters.peak, self._under_way)
        try:
            await self._within_bounds(scope, receive, send)
        finally:
            self._under_way -= 1

    async def _within_bounds(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        most = self._settings.body_bytes_max
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        refusal = _too_large(most)
        if not declared.isdigit() or int(declared[:12]) <= most:
            body = await self._body(receive, most)
            if isinstance(body, bytes):
                await self._app(scope, _once(body, receive), send)
                return
            refusal = body
        # What remains of the body is not waited for: the connection ends with the answer.
        refusal.headers = {"Connection": "close"}
        await errors.refused(refusal)(scope, receive, send)

    async def _body(self, receive: Receive, most: int) -> bytes | errors.ApiError:
        parts, size = [], 0
        try:
            async with asyncio.timeout(self._settings.receive_timeout):
                while True:
                    message = await receive()
                    part = message.get("body", b"")
                    parts.append(part)
                    size += len(part)
                    if size > most:
                        return _too_large(most)
                    if not message.get("more_body"):
                        return b"".join(parts)
        except TimeoutError:
            return errors.ApiError(
                408,
                "request_timeout",
                f"The body didn't come within {self._settings.receive_timeout:g} s.",
            )


def _too_large(most: int) -> errors.ApiError:
    return errors.ApiError(
        413, "body_too_large", f"The body is larger than the {most} bytes that are taken."
    )


def _once(body: bytes, receive: Receive) -> Receive:
    """`receive` with the whole body first."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
