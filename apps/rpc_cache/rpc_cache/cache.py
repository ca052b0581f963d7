"""Answers kept: in the task's own memory, then in Redis, else asked for, once for all who want it.

Redis makes answers cheaper and must never make them fail: every use of it is bounded by
time-outs, and once it fails the calls leave it alone until a probe in the background finds it back.
"""

import asyncio
import contextlib
import random
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from rpc_cache import logs
from rpc_cache.errors import Limited
from rpc_cache.settings import Settings

# The shape of what is kept: raise it with that, so that tasks of two releases that run side by
# side don't read each other's.
PREFIX = "rpc_cache:1:"
_PROBE_SECONDS = 1.0
_LOCK_WAIT_SECONDS = 2.0

# The answer and how long it lives on (ms), or 1 for who is to ask the nodes, or 0 for who waits.
_LOOK = """
local kept = redis.call('GET', KEYS[1])
if kept then return {kept, redis.call('PTTL', KEYS[1])} end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
return 0
"""
# Keeps an answer if there is one, and gives the lock back if it is still one's own.
_DONE = """
if ARGV[2] ~= '' then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
if redis.call('GET', KEYS[2]) == ARGV[1] then return redis.call('DEL', KEYS[2]) end
return 0
"""

# An answer, and the seconds it may be kept (0: not at all).
Loader = Callable[[], Awaitable[tuple[bytes, float]]]


class _Away(Exception):
    """Redis didn't serve this call."""


class Cache:
    """Answers by key."""

    def __init__(self, settings: Settings) -> None:
        self._entry_max = settings.entry_max
        self._memory_max = settings.memory_max
        self._memory: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._memory_size = 0
        self._lock_ms = round(settings.node_timeout * 1000)
        self._flights: dict[str, asyncio.Task[tuple[bytes, bool]]] = {}
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
                # By default redis-py tries again with pauses; here the nodes are the second try.
                retry=Retry(NoBackoff(), 0),
            )
        )
        self._scripts = {text: self._redis.register_script(text) for text in (_LOOK, _DONE)}

    async def open(self) -> None:
        """Connect ahead of the first request. Redis away is no reason not to start."""
        await self.ping()

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

    async def run(self, text: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        """What a script in Redis answers; None while there is no Redis."""
        script = self._scripts.setdefault(text, self._redis.register_script(text))
        try:
            return await self._call(script, keys=keys, args=arguments)
        except _Away:
            return None

    async def get(self, key: str, caller: str, load: Loader) -> tuple[bytes, bool]:
        """The answer under `key`, and whether it came without a call of the nodes for it.

        Calls for the same key while one is under way share its outcome, whoever makes them. What
        `load` raises, all of them raise; but a limit of the caller who came first is its own.
        """
        while True:
            kept = self._memory.get(key)
            if kept is not None and kept[0] > time.monotonic():
                self._memory.move_to_end(key)
                return kept[1], True
            flight = self._flights.get(key)
            first = flight is None
            if flight is None:
                flight = asyncio.create_task(self._read(key, load))
                self._flights[key] = flight
                flight.add_done_callback(lambda done: self._landed(key, done))
            try:
                # A caller that hangs up must not take the answer away from the others.
                answer, hit = await asyncio.shield(flight)
            except Limited as limited:
                if limited.kind == "caller" and limited.name != caller:
                    await asyncio.sleep(0)  # Until the flight is taken off the list.
                    continue
                raise
            return answer, hit or not first

    def _landed(self, key: str, flight: asyncio.Task[Any]) -> None:
        self._flights.pop(key, None)
        if not flight.cancelled():
            flight.exception()  # Marks it as seen: perhaps every caller has hung up.

    async def _read(self, key: str, load: Loader) -> tuple[bytes, bool]:
        """Redis, else the loader, with one loader per key among all tasks."""
        names = [f"{PREFIX}{key}", f"{PREFIX}lock:{key}"]
        token = secrets.token_hex(8)
        deadline = time.monotonic() + _LOCK_WAIT_SECONDS
        while True:
            found = await self.run(_LOOK, names, [token, self._lock_ms])
            if isinstance(found, list):
                self._remember(key, found[0], found[1] / 1000)
                return found[0], True
            if found != 0 or time.monotonic() >= deadline:
                break
            await asyncio.sleep(random.uniform(0.01, 0.03))  # noqa: S311 - only spreads the polls
        answer, ttl = b"", 0.0
        try:
            answer, ttl = await load()
        finally:
            keep = ttl > 0 and len(answer) <= self._entry_max
            if keep:
                self._remember(key, answer, ttl)
            if found is not None:
                kept = answer if keep else b""
                await self.run(_DONE, names, [token, kept, max(1, round(ttl * 1000))])
        return answer, False

    def _remember(self, key: str, answer: bytes, seconds: float) -> None:
        """Keep an answer in memory for what is left of its life."""
        if seconds <= 0 or len(answer) > self._memory_max / 8:
            return
        if (old := self._memory.pop(key, None)) is not None:
            self._memory_size -= len(old[1]) + len(key)
        self._memory[key] = (time.monotonic() + seconds, answer)
        self._memory_size += len(answer) + len(key)
        while self._memory_size > self._memory_max:
            name, (_, gone) = self._memory.popitem(last=False)
            self._memory_size -= len(gone) + len(name)

    async def _call(self, command: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        if self._probe is not None:
            raise _Away
        try:
            async with asyncio.timeout(self._call_timeout):
                return await command(*args, **kwargs)
        except (RedisError, OSError, TimeoutError) as error:
            if self._probe is None:
                reason = str(error) or type(error).__name__
                self._log.warning("cache_away", reason=reason)
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
