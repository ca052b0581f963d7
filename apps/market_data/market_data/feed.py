"""Prices as they come, to everybody who listens (server-sent events, WHATWG HTML 9.2).

A task has one subscription in Redis for all of its clients. A client that is slow misses what was
replaced meanwhile, never the newest of a market: nothing waits for it, and memory stays bounded.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson

from market_data import logs
from market_data.metrics import Metrics
from market_data.settings import Settings
from market_data.store import AWAY, CHANNEL, Store

_PAUSE_SECONDS = 1.0


class Client:
    """What one client has yet to be told: the newest price of each market."""

    def __init__(self) -> None:
        self._pending: dict[str, bytes] = {}
        self._something = asyncio.Event()

    def tell(self, symbol: str, data: bytes) -> None:
        """Replaces what it was not told yet of that market."""
        self._pending.pop(symbol, None)
        self._pending[symbol] = data
        self._something.set()

    async def take(self, seconds: float) -> list[bytes]:
        """What there is, within so many seconds; none where nothing came."""
        try:
            # Not wait_for: until Python 3.12 it may forget that it was cancelled.
            async with asyncio.timeout(seconds):
                await self._something.wait()
        except TimeoutError:
            return []
        self._something.clear()
        found, self._pending = list(self._pending.values()), {}
        return found


class Feed:
    """Listens to Redis for all clients of this task."""

    def __init__(self, settings: Settings, store: Store, metrics: Metrics) -> None:
        self._settings = settings
        self._store = store
        self._metrics = metrics
        self._clients: set[Client] = set()
        self._log = logs.get(component="feed")
        self.ended = asyncio.Event()

    @property
    def full(self) -> bool:
        """Whether this task serves as many as it may."""
        return len(self._clients) >= self._settings.clients_max

    async def run(self) -> None:
        """Tells what is published, until cancelled; listens anew when Redis comes back."""
        while True:
            try:
                async with self._store.listening() as heard:
                    await heard.subscribe(CHANNEL)
                    # What was published while nobody listened.
                    await self._tell_all()
                    while True:
                        message = await heard.get_message(timeout=self._settings.keepalive_seconds)
                        if message is not None:
                            self._tell(message["data"])
            except AWAY as error:
                self._log.warning("feed_away", reason=f"{type(error).__name__}: {error}")
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _tell_all(self) -> None:
        symbols = [pool.symbol for pool in self._settings.pools.values()]
        for symbol, value in (await self._store.prices(symbols)).items():
            self._tell(orjson.dumps({"symbol": symbol, **value}))

    def _tell(self, data: bytes) -> None:
        symbol = orjson.loads(data)["symbol"]
        for client in self._clients:
            client.tell(symbol, data)

    async def follow(self, begin: dict[str, dict[str, Any]]) -> AsyncIterator[bytes]:
        """The stream of one client: the prices of now, then each that comes.

        A comment goes out in silence, by which both sides see that the other is there.
        """
        client = Client()
        for symbol, value in begin.items():
            client.tell(symbol, orjson.dumps({"symbol": symbol, **value}))
        self._clients.add(client)
        self._metrics.clients = len(self._clients)
        waited = 0.0
        try:
            yield b"retry: 1000\n\n"
            while not self.ended.is_set():
                # In short steps: a drain must not wait for the next price.
                step = min(0.5, self._settings.keepalive_seconds)
                found = await client.take(step)
                for data in found:
                    yield b"event: price\ndata: " + data + b"\n\n"
                waited = 0.0 if found else waited + step
                if waited >= self._settings.keepalive_seconds:
                    waited = 0.0
                    yield b": here\n\n"
        finally:
            self._clients.discard(client)
            self._metrics.clients = len(self._clients)
