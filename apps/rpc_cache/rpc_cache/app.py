"""The application put together."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute

from rpc_cache.cache import PREFIX, Cache
from rpc_cache.frame import Lifecycle, RequestFrame
from rpc_cache.limits import Limits
from rpc_cache.metrics import Metrics
from rpc_cache.nodes import Nodes
from rpc_cache.rpc import Rpc
from rpc_cache.settings import Settings
from rpc_cache.subscriptions import Subscriptions

SERVICE = "rpc_cache"


def create_app(settings: Settings) -> Starlette:
    """The service for `settings`; its connections open and close with its lifespan."""
    cache = Cache(settings)
    nodes = Nodes(settings)
    metrics = Metrics(SERVICE)
    lifecycle = Lifecycle()
    rpc = Rpc(settings, cache, nodes, Limits(cache.run, PREFIX), metrics)
    subscriptions = Subscriptions(settings, rpc, metrics)

    async def keep_flushing() -> None:
        while True:
            await asyncio.sleep(settings.metrics_seconds)
            metrics.flush()

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await cache.open()
        flushing = asyncio.create_task(keep_flushing())
        try:
            yield
        finally:
            flushing.cancel()
            metrics.flush()
            await cache.close()
            await nodes.close()

    async def health(_request: Request) -> JSONResponse:
        """Liveness: asks nothing else, so that nodes away don't get tasks killed."""
        return JSONResponse({"status": "ok", "revision": settings.revision})

    async def ready(_request: Request) -> JSONResponse:
        """503 only while draining: without Redis or nodes another task would do no better."""
        if lifecycle.draining:
            return JSONResponse({"status": "draining"}, status_code=503)
        found = "ok" if await cache.ping() else "away"
        return JSONResponse({"status": "ready" if found == "ok" else "degraded", "cache": found})

    root = settings.root_path
    routes: list[Route | WebSocketRoute] = []
    # The target group checks the container's own port; people come through the load balancer.
    for path in dict.fromkeys(("", root)):
        routes += [Route(f"{path}/health", health), Route(f"{path}/ready", ready)]
    for path in dict.fromkeys((root or "/", f"{root}/")):
        routes += [
            Route(path, rpc.handle, methods=["POST"]),
            WebSocketRoute(path, subscriptions.handle),
        ]
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[
            Middleware(RequestFrame, lifecycle=lifecycle),
            # As nodes do: wallets in browsers ask from any page.
            Middleware(
                CORSMiddleware, allow_origins=["*"], allow_headers=["*"], allow_methods=["POST"]
            ),
        ],
    )
    app.state.lifecycle = lifecycle
    app.state.metrics = metrics
    app.router.redirect_slashes = False
    return app
