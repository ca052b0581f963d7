"""Answers out of the cache: ready-made JSON, so that no model is built on the way out."""

from typing import Any

from fastapi.responses import Response

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


async def cached(cache: Cache, key: str, load: Loader, unknown: ApiError) -> Response:
    """The body of `key`. Raises `unknown` where the loader finds none."""
    body, hit = await cache.get(key, load)
    if body is None:
        raise unknown
    return Response(
        body, media_type="application/json", headers={"X-Cache": "hit" if hit else "miss"}
    )
