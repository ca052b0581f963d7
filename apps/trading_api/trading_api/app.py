"""The application put together."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI
from starlette.types import ASGIApp

from trading_api import changes, errors, fills, health, instruments, orders, positions, prices
from trading_api.cache import Cache
from trading_api.credentials import Credentials
from trading_api.database import Database
from trading_api.frame import Lifecycle, RequestFrame
from trading_api.hot import HotReads
from trading_api.limits import Limits
from trading_api.metrics import Counters
from trading_api.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """The service for `settings`; its connections open and close with its lifespan."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await app.state.database.open()
        await app.state.cache.open()
        reports = asyncio.create_task(app.state.counters.report(settings.metrics_seconds))
        try:
            yield
        finally:
            reports.cancel()
            app.state.counters.flush()
            await app.state.cache.close()
            await app.state.database.close()

    root = settings.root_path
    app = FastAPI(
        title="Drydock trading API",
        version=settings.revision,
        docs_url=f"{root}/docs",
        openapi_url=f"{root}/openapi.json",
        redoc_url=None,
        lifespan=lifespan,
        # Asked at each request, whether or not OpenTelemetry is there; here it is not.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.settings = settings
    app.state.lifecycle = Lifecycle()
    app.state.counters = counters = Counters()
    app.state.database = Database(settings, counters, Credentials(settings))
    app.state.cache = Cache(settings, counters)
    errors.install(app)

    # The hot read's router first, and none inside another: each is asked in turn for a match.
    for part in (instruments, orders, changes, fills, positions, prices):
        app.include_router(part.router, prefix=root)
    # The target group checks the container's own port; people come through the load balancer.
    app.include_router(health.router)
    if root:
        app.include_router(health.router, prefix=root)
    return app


def front(app: FastAPI) -> ASGIApp:
    """What a server is to call: the application behind its short way, its limits and its frame."""
    settings, root = app.state.settings, app.state.settings.root_path
    reads = HotReads(
        app,
        {
            f"{root}/instruments": (instruments.well_formed, instruments.get_instrument),
            f"{root}/orders": (orders.well_formed, orders.get_order),
            f"{root}/positions": (instruments.well_formed, positions.get_position),
        },
    )
    return RequestFrame(Limits(reads, settings, app.state.counters), app.state.lifecycle)
