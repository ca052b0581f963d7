"""A read-through cache: own memory, then Redis, then the loader, asked once for many.

Redis makes reads cheaper and must never make them fail or wait: what a read spends on it is
bounded by REDIS_TIMEOUT, and once it fails the requests leave it alone until a probe in the
background finds it back. What a write outdates is forgotten in both; other tasks' memories
keep it for CACHE_MEMORY_TTL at most.
"""

import asyncio
import contextlib
import contextvars
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from trading_api import logs
from trading_api.database import describe
from trading_api.metrics import Counters
from trading_api.settings import Settings

# The shape of the cached bodies: raise it with them, so that tasks of two
# releases that run side by side don't read each other's.
PREFIX = "trading_api:1:"
_PROBE_SECONDS = 1.0
_LOCK_MILLISECONDS = 5000
_LOCK_WAIT_SECONDS = 1.0
_MEMORY_ENTRIES = 1024

# The body if it is there; else "1" in a list for whoever shall load it, "0" for whoever shall
# wait. Whoever held the lock before may have stored it since the caller's own look.
_BODY_OR_LOCK = """
local body = redis.call('GET', KEYS[1])
if body then return body end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return {1} end
return {0}
"""

# Only the holder may store and release: a write that outdates what is being loaded takes the
# lock away with the body, and a lock that has expired may be another's by now.
_STORE = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
if ARGV[2] ~= '' then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1
"""

Loader = Callable[[], Awaitable[bytes | None]]


class _Away(Exception):
    """Redis didn't serve this call."""


class Cache:
    """Bodies by key. `loads` counts how often a loader was asked."""

    def __init__(self, settings: Settings, counters: Counters) -> None:
        self.loads = 0
        self._counters = counters
        self._ttl = settings.cache_ttl
        self._memory_ttl = settings.cache_memory_ttl
        self._memory: dict[str, tuple[float, bytes]] = {}
        self._flights: dict[str, asyncio.Task[tuple[bytes | None, bool]]] = {}
        self._paying: asyncio.Task[None] | None = None
        self._owed: set[str] = set()
        self._probe: asyncio.Task[None] | None = None
        self._log = logs.get(component="cache")
        self._timeout = settings.redis_timeout
        self._redis = Redis.from_pool(
            BlockingConnectionPool.from_url(
                settings.redis_url.get_secret_value(),
                max_connections=settings.redis_pool_max,
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
            await self._call(self._redis.ping, until=self._until())

    async def close(self) -> None:
        """Stop the probe and close the connections."""
        others = [task for task in (self._paying, self._probe) if task is not None]
        for task in [*self._flights.values(), *others]:
            task.cancel()
            with contextlib.suppress(BaseException):
                await task
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(self._timeout):
                await self._redis.aclose()

    async def ping(self) -> bool:
        """Whether Redis answers now."""
        try:
            await self._call(self._redis.ping)
        except _Away:
            return False
        return True

    async def read(self, names: Sequence[str]) -> list[bytes | None]:
        """What others keep in Redis under these names; all None without Redis."""
        if not names:
            return []
        try:
            return await self._call(self._redis.mget, names)
        except _Away:
            return [None] * len(names)

    async def get(self, key: str, load: Loader) -> tuple[bytes | None, bool]:
        """The body of `key` and whether it came out of a cache.

        Callers that come while a read of the same key is under way share its
        outcome. What `load` raises, all of them raise; None is not kept.
        """
        kept = self._memory.get(key)
        if kept is not None and kept[0] > time.monotonic():
            self._counters.memory_hits += 1
            return kept[1], True
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.create_task(self._read(key, load))
            self._flights[key] = flight
            flight.add_done_callback(lambda done: self._landed(key, done))
        # A caller that hangs up must not take the read away from the others.
        body, hit = await asyncio.shield(flight)
        if hit:
            self._counters.redis_hits += 1
        else:
            self._counters.misses += 1
        return body, hit

    async def forget(self, *keys: str) -> None:
        """Have the next read of `keys` ask the loader. Call it after the write is committed.

        Who outdates the same key meanwhile shares the next call to Redis. Without Redis the
        keys are remembered, and deleted before it is used again.
        """
        for key in keys:
            self._memory.pop(key, None)
            # What is being read now may be from before the write: nobody else joins it.
            self._flights.pop(key, None)
        self._owed.update(keys)
        if self._paying is not None:
            # Perhaps sent before this write was committed.
            await asyncio.shield(self._paying)
        if self._paying is None and self._owed:
            self._paying = asyncio.create_task(self._pay())
            self._paying.add_done_callback(self._paid)
        if self._paying is not None:
            await asyncio.shield(self._paying)

    def _paid(self, _payment: asyncio.Task[None]) -> None:
        self._paying = None

    async def _pay(self) -> None:
        owed, self._owed = self._owed, set()
        if not owed:
            return
        try:
            await self._call(self._redis.delete, *self._names(owed))
        except _Away:
            self._owed |= owed

    def _names(self, keys: set[str]) -> list[str]:
        return [f"{PREFIX}{part}{key}" for key in keys for part in ("", "lock:")]

    def _landed(self, key: str, flight: asyncio.Task[Any]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        if not flight.cancelled():
            flight.exception()  # Marks it as seen: perhaps every caller has hung up.

    async def _read(self, key: str, load: Loader) -> tuple[bytes | None, bool]:
        """Redis, else the loader, with one loader per key among all tasks."""
        token = secrets.token_hex(8)
        try:
            body = await self._body_or_turn(key, token)
        except _Away:
            return await self._load(load), False
        if body is not None:
            self._remember(key, body)
            return body, True
        stored = b""
        try:
            body = await self._load(load)
            stored = body or b""
        finally:
            if await self._store(key, token, stored) and body is not None:
                self._remember(key, body)
        return body, False

    async def _body_or_turn(self, key: str, token: str) -> bytes | None:
        """The body, or None when it is this task's turn to load it."""
        name, lock = f"{PREFIX}{key}", f"{PREFIX}lock:{key}"
        until = self._until()
        if (body := await self._call(self._redis.get, name, until=until)) is not None:
            return body
        deadline = time.monotonic() + _LOCK_WAIT_SECONDS
        while True:
            found = await self._call(
                self._redis.eval, _BODY_OR_LOCK, 2, name, lock, token, _LOCK_MILLISECONDS,
                until=until,
            )  # fmt: skip
            if isinstance(found, bytes):
                return found
            if found == [1] or time.monotonic() >= deadline:
                return None
            await asyncio.sleep(random.uniform(0.01, 0.03))  # noqa: S311 - only spreads the polls
            until = self._until()

    async def _load(self, load: Loader) -> bytes | None:
        self.loads += 1
        return await load()

    async def _store(self, key: str, token: str, body: bytes) -> bool:
        """Give the lock back, with what was loaded; whether it is there now."""
        # Spread, so that what was stored together doesn't run out together.
        life = int(self._ttl * 1000 * random.uniform(0.8, 1))  # noqa: S311 - no secret
        try:
            stored = await self._call(
                self._redis.eval, _STORE, 2, f"{PREFIX}{key}", f"{PREFIX}lock:{key}",
                token, body, life,
            )  # fmt: skip
        except _Away:
            return False
        return bool(stored) and bool(body)

    def _remember(self, key: str, body: bytes) -> None:
        # Unless a write has outdated it: then another read has its place, or none.
        if self._memory_ttl <= 0 or self._flights.get(key) is not asyncio.current_task():
            return
        if len(self._memory) >= _MEMORY_ENTRIES:
            self._memory.clear()
        self._memory[key] = (time.monotonic() + self._memory_ttl, body)

    def _until(self) -> float:
        return asyncio.get_running_loop().time() + self._timeout

    async def _call(
        self, command: Callable[..., Awaitable[Any]], *args: Any, until: float | None = None
    ) -> Any:
        """One call to Redis, ended at the loop's time `until`, or after REDIS_TIMEOUT."""
        if self._probe is not None:
            raise _Away
        try:
            async with asyncio.timeout_at(until or self._until()):
                return await command(*args)
        except (RedisError, OSError, TimeoutError) as error:
            self._counters.failures += 1
            if self._probe is None:
                self._log.warning("cache_away", reason=describe(error))
                # Without the context of the request that happened to find out.
                self._probe = asyncio.create_task(self._until_back(), context=contextvars.Context())
            raise _Away from error

    async def _until_back(self) -> None:
        while True:
            await asyncio.sleep(_PROBE_SECONDS)
            owed = set(self._owed)
            try:
                async with asyncio.timeout(self._timeout):
                    await self._redis.ping()
                    if owed:
                        # Written while it was away: what it kept of them is out of date.
                        await self._redis.delete(*self._names(owed))
            except (RedisError, OSError, TimeoutError):
                continue
            self._owed -= owed
            if self._owed:
                continue  # More came in meanwhile.
            self._log.info("cache_back")
            self._probe = None
            return
