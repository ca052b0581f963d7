"""/health and /ready, beside the work."""

import contextlib
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


def create_server(
    port: int, revision: str, state: Callable[[], tuple[bool, dict]]
) -> uvicorn.Server:
    """A server that `serve()` runs until `should_exit`; `state` says readiness and details."""

    async def health(_request: Request) -> JSONResponse:
        """Liveness: asks nothing else, so that a node away doesn't get tasks killed."""
        return JSONResponse({"status": "ok", "revision": revision})

    async def ready(_request: Request) -> JSONResponse:
        good, details = state()
        return JSONResponse(details, status_code=200 if good else 503)

    config = uvicorn.Config(
        Starlette(routes=[Route("/health", health), Route("/ready", ready)]),
        host="0.0.0.0",  # noqa: S104 - a container's only way to be reached
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    # Signals end the work first; it ends the server.
    server.capture_signals = contextlib.nullcontext
    return server
