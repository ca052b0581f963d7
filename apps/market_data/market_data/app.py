"""The application put together."""

import asyncio
import contextlib
import datetime
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from market_data.aws import Client
from market_data.errors import refusal
from market_data.feed import Feed
from market_data.frame import Lifecycle, RequestFrame
from market_data.metrics import Metrics
from market_data.reader import Reader
from market_data.settings import Settings
from market_data.store import AWAY, Store

SERVICE = "market_data"
_AGAIN = {"Retry-After": "1"}


class Prices:
    """The answers."""

    def __init__(self, settings: Settings, store: Store, feed: Feed, lifecycle: Lifecycle) -> None:
        self._settings = settings
        self._store = store
        self._feed = feed
        self._lifecycle = lifecycle
        self._symbols = sorted(pool.symbol for pool in settings.pools.values())

    async def health(self, _request: Request) -> Response:
        """Liveness: asks nothing else, so that a Redis that is away gets no task killed."""
        return JSONResponse({"status": "ok", "revision": self._settings.revision})

    async def ready(self, _request: Request) -> Response:
        """503 while draining, and without Redis, where all prices are."""
        if self._lifecycle.draining:
            return JSONResponse({"status": "draining"}, 503)
        try:
            await self._store.ping()
        except AWAY:
            return JSONResponse({"status": "redis is away"}, 503)
        return JSONResponse({"status": "ready"})

    async def all(self, _request: Request) -> Response:
        """The newest price of every market that has one."""
        try:
            found = await self._store.prices(self._symbols)
        except AWAY:
            return _away()
        return JSONResponse({"prices": [_shown(symbol, found[symbol]) for symbol in found]})

    async def one(self, request: Request) -> Response:
        """The newest price of a market."""
        symbol = request.path_params["symbol"]
        if symbol not in self._symbols:
            known = ", ".join(self._symbols)
            return refusal(404, "unknown_market", f"There is no market {symbol!r}; known: {known}.")
        try:
            found = await self._store.prices([symbol])
        except AWAY:
            return _away()
        if symbol not in found:
            message = f"Nothing was dealt in {symbol} of late, so it has no price. Ask again later."
            return refusal(404, "no_price", message)
        return JSONResponse(_shown(symbol, found[symbol]))

    async def stream(self, _request: Request) -> Response:
        """The newest prices and each that comes, as server-sent events."""
        if self._feed.full or self._lifecycle.draining:
            message = "This task serves as many feeds as it may. Try again."
            return refusal(503, "busy", message, _AGAIN)
        try:
            begin = await self._store.prices(self._symbols)
        except AWAY:
            return _away()
        return StreamingResponse(
            self._feed.follow(begin),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store"},
        )


def _away() -> Response:
    return refusal(503, "prices_away", "The prices can't be read now. Try again.", _AGAIN)


def _shown(symbol: str, value: dict[str, Any]) -> dict[str, Any]:
    """A price as it is answered, with its age."""
    observed = datetime.datetime.fromisoformat(value["observed_at"])
    age = (datetime.datetime.now(datetime.UTC) - observed).total_seconds()
    return {"symbol": symbol, **value, "age_seconds": round(max(0.0, age), 3)}


def create_app(settings: Settings) -> Starlette:
    """The service for `settings`; its connections open and close with its lifespan."""
    lifecycle = Lifecycle()
    metrics = Metrics(SERVICE)
    store = Store(settings)
    feed = Feed(settings, store, metrics)
    prices = Prices(settings, store, feed, lifecycle)

    async def keep_flushing() -> None:
        while True:
            await asyncio.sleep(settings.metrics_seconds)
            metrics.flush()

    async def until_draining() -> None:
        while not lifecycle.draining:
            await asyncio.sleep(0.1)
        feed.ended.set()

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        threads = ThreadPoolExecutor(4)
        reader = Reader(settings, Client("kinesis", threads), store, metrics)
        work = (reader.run(), feed.run(), keep_flushing(), until_draining())
        tasks = [asyncio.create_task(one) for one in work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await reader.leave()
            metrics.flush()
            with contextlib.suppress(*AWAY):
                await store.close()
            threads.shutdown(wait=False, cancel_futures=True)

    routes = []
    # The target group checks the container's own port; people come through the load balancer.
    for path in dict.fromkeys(("", settings.root_path)):
        routes += [Route(f"{path}/health", prices.health), Route(f"{path}/ready", prices.ready)]
    root = settings.root_path
    routes += [
        Route(f"{root}/prices", prices.all),
        Route(f"{root}/prices/stream", prices.stream),
        Route(f"{root}/prices/{{symbol}}", prices.one),
    ]
    app = Starlette(
        routes=routes, lifespan=lifespan, middleware=[Middleware(RequestFrame, lifecycle=lifecycle)]
    )
    app.state.lifecycle = lifecycle
    return app
