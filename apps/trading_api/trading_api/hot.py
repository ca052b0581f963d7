"""The reads that are asked for most: ready-made JSON, by a short way."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from trading_api import errors
from trading_api.cache import Cache, Loader
from trading_api.errors import ApiError

X_CACHE: dict[str, Any] = {
    "headers": {
        "X-Cache": {
            "description": "Whether a cache answered, the task's own or Redis.",
            "schema": {"type": "string", "enum": ["hit", "miss"]},
        }
    }
}

# Of one thing by its key: what makes the key of the path's last part, or None if that is none
# such, and the route's own function.
Read = tuple[Callable[[str], Any], Callable[[Any, Request], Awaitable[Response]]]


class HotReads:
    """ASGI middleware that takes GETs of one thing straight to the function of their route.

    FastAPI's way there, which solves what these functions don't have, takes longer than they do.
    What isn't a well-formed key goes that way still, to be told so.
    """

    def __init__(self, app: FastAPI, reads: Mapping[str, Read]) -> None:
        """`reads`: by the path without its last part."""
        self._app = app
        self._reads = reads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET":
            head, _, last = scope["path"].rpartition("/")
            if (found := self._reads.get(head)) and (key := found[0](last)) is not None:
                scope["app"] = self._app  # as FastAPI does: Request.app is read there
                try:
                    answer = await found[1](key, Request(scope, receive))
                except ApiError as error:
                    answer = errors.refused(error)
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)


async def cached(cache: Cache, key: str, load: Loader, unknown: ApiError) -> Response:
    """The body of `key`. Raises `unknown` where the loader finds none."""
    body, hit = await cache.get(key, load)
    if body is None:
        raise unknown
    return Response(
        body, media_type="application/json", headers={"X-Cache": "hit" if hit else "miss"}
    )
