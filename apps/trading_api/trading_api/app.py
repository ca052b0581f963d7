"""The application put together."""

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

from trading_api import errors, health, instruments, orders
from trading_api.cache import Cache
from trading_api.database import Database
from trading_api.frame import Lifecycle, RequestFrame
from trading_api.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """The service for `settings`; its connections open and close with its lifespan."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await app.state.database.open()
        await app.state.cache.open()
        try:
            yield
        finally:
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
    )
    app.state.settings = settings
    app.state.lifecycle = Lifecycle()
    app.state.database = Database(settings)
    app.state.cache = Cache(settings)
    errors.install(app)

    # The hot read's router first, and none inside another: each is asked in turn for a match.
    app.include_router(instruments.router, prefix=root)
    app.include_router(orders.router, prefix=root)
    # The target group checks the container's own port; people come through the load balancer.
    app.include_router(health.router)
    if root:
        app.include_router(health.router, prefix=root)
    app.add_middleware(RequestFrame, lifecycle=app.state.lifecycle)
    return app
