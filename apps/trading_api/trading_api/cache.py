"""A read-through cache: own memory, then Redis, then the loader, asked once for many.

Redis makes reads cheaper and must never make them fail: every use of it is
bounded by time-outs, and once it fails the requests leave it alone until a
probe in the background finds it back.
"""

import asyncio
import contextlib
import random
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from trading_api import logs
from trading_api.database import describe
from trading_api.settings import Settings

# The shape of the cached bodies: raise it with them, so that tasks of two
# releases that run side by side don't read each other's.
_PREFIX = "trading_api:1:"
_PROBE_SECONDS = 1.0
_LOCK_MILLISECONDS = 5000
_LOCK_WAIT_SECONDS = 1.0
_MEMORY_ENTRIES = 1024

# Only the holder may release: by then the lock may have expired and be another's.
_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""

Loader = Callable[[], Awaitable[bytes | None]]


class _Away(Exception):
    """Redis didn't serve this call."""


class Cache:
    """Bodies by key. `loads` counts how often a loader was asked."""

    def __init__(self, settings: Settings) -> None:
        self.loads = 0
        self._ttl = settings.cache_ttl
        self._memory_ttl = settings.cache_memory_ttl
        self._memory: dict[str, tuple[float, bytes]] = {}
        self._flights: dict[str, asyncio.Task[tuple[bytes | None, bool]]] = {}
        self._probe: asyncio.Task[None] | None = None
        self._log = logs.get(component="cache")
        self._call_timeout = settings.redis_connect_timeout + settings.redis_timeout
        self._redis = Redis.from_pool(
            BlockingConnectionPool.from_url(
                settings.redis_url.get_secret_value(),
                max_connections=16,
                timeout=settings.redis_timeout,
                socket_connect_timeout=settings.redis_connect_timeout,
                socket_timeout=settings.redis_timeout,
                protocol=2,
                # By default redis-py tries again with pauses; here the database is the second try.
                retry=Retry(NoBackoff(), 0),
            )
        )

    @property
    def available(self) -> bool:
        """Whether Redis served the last call made to it."""
        return self._probe is None

    async def open(self) -> None:
        """Connect ahead of the first request. Redis away is no reason not to start."""
        with contextlib.suppress(_Away):
            await self._call(self._redis.ping)

    async def close(self) -> None:
        """Stop the probe and close the connections."""
        for task in [*self._flights.values(), *([self._probe] if self._probe else [])]:
            task.cancel()
            with contextlib.suppress(BaseException):
                await task
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(self._call_timeout):
                await self._redis.aclose()

    async def ping(self) -> bool:
        """Whether Redis answers now."""
        try:
            await self._call(self._redis.ping)
        except _Away:
            return False
        return True

    async def get(self, key: str, load: Loader) -> tuple[bytes | None, bool]:
        """The body of `key` and whether it came out of a cache.

        Callers that come while a read of the same key is under way share its
        outcome. What `load` raises, all of them raise; None is not kept.
        """
        kept = self._memory.get(key)
        if kept is not None and kept[0] > time.monotonic():
            return kept[1], True
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.create_task(self._read(key, load))
            self._flights[key] = flight
            flight.add_done_callback(lambda done: self._landed(key, done))
        # A caller that hangs up must not take the read away from the others.
        return await asyncio.shield(flight)

    def _landed(self, key: str, flight: asyncio.Task[Any]) -> None:
        self._flights.pop(key, None)
        if not flight.cancelled():
            flight.exception()  # Marks it as seen: perhaps every caller has hung up.

    async def _read(self, key: str, load: Loader) -> tuple[bytes | None, bool]:
        """Redis, else the loader, with one loader per key among all tasks."""
        name, lock = f"{_PREFIX}{key}", f"{_PREFIX}lock:{key}"
        token = secrets.token_hex(8)
        deadline = time.monotonic() + _LOCK_WAIT_SECONDS
        try:
            while True:
                if (body := await self._call(self._redis.get, name)) is not None:
                    self._remember(key, body)
                    return body, True
                if await self._call(self._redis.set, lock, token, nx=True, px=_LOCK_MILLISECONDS):
                    # Whoever held the lock before may have stored it since the look above.
                    if (body := await self._call(self._redis.get, name)) is not None:
                        self._remember(key, body)
                        await self._release(lock, token)
                        return body, True
                    break
                if time.monotonic() >= deadline:
                    break
                await asyncio.sleep(random.uniform(0.01, 0.03))  # noqa: S311 - only spreads the polls
        except _Away:
            return await self._load(load), False
        try:
            body = await self._load(load)
            if body is not None:
                with contextlib.suppress(_Away):
                    await self._call(self._redis.set, name, body, ex=self._ttl)
                    self._remember(key, body)
        finally:
            await self._release(lock, token)
        return body, False

    async def _load(self, load: Loader) -> bytes | None:
        self.loads += 1
        return await load()

    async def _release(self, lock: str, token: str) -> None:
        with contextlib.suppress(_Away):
            await self._call(self._redis.eval, _RELEASE, 1, lock, token)

    def _remember(self, key: str, body: bytes) -> None:
        if self._memory_ttl <= 0:
            return
        if len(self._memory) >= _MEMORY_ENTRIES:
            self._memory.clear()
        self._memory[key] = (time.monotonic() + self._memory_ttl, body)

    async def _call(self, command: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        if self._probe is not None:
            raise _Away
        try:
            async with asyncio.timeout(self._call_timeout):
                return await command(*args, **kwargs)
        except (RedisError, OSError, TimeoutError) as error:
            if self._probe is None:
                self._log.warning("cache_away", reason=describe(error))
                self._probe = asyncio.create_task(self._until_back())
            raise _Away from error

    async def _until_back(self) -> None:
        while True:
            await asyncio.sleep(_PROBE_SECONDS)
            try:
                async with asyncio.timeout(self._call_timeout):
                    await self._redis.ping()
            except (RedisError, OSError, TimeoutError):
                continue
            self._log.info("cache_back")
            self._probe = None
            return
