"""The application put together."""

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI
from opentelemetry.sdk.trace import SpanProcessor

from product import errors, health, products, reservations, tracing
from product.database import Database
from product.frame import Lifecycle, RequestFrame
from product.settings import Settings


def create_app(settings: Settings, *processors: SpanProcessor) -> FastAPI:
    """The service for `settings`; its connections open and close with its lifespan.

    Args:
        processors: told of each span, beside the collector.
    """
    spans = tracing.provider(settings, *processors)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await app.state.database.open()
        try:
            yield
        finally:
            await app.state.database.close()
            spans.shutdown()

    root = settings.root_path
    app = FastAPI(
        title="Drydock Shop: products",
        version=settings.revision,
        docs_url=f"{root}/docs",
        openapi_url=f"{root}/openapi.json",
        redoc_url=None,
        responses=errors.refusals(
            {422: "A field is wrong.", 503: "The database doesn't serve now; try again."}
        ),
        lifespan=lifespan,
    )
    app.state.settings = settings
    app.state.lifecycle = Lifecycle()
    app.state.database = Database(settings)
    errors.install(app)
    app.include_router(products.router, prefix=root)
    app.include_router(reservations.router, prefix=root)
    # The target group checks the container's own port; people come through the load balancer.
    app.include_router(health.router)
    if root:
        app.include_router(health.router, prefix=root)
    app.add_middleware(
        RequestFrame, lifecycle=app.state.lifecycle, tracer=spans.get_tracer("product")
    )
    return app
