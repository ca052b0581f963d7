"""Prices in Redis: `market:1:price:<symbol>`, as apps/trading_api reads them, and who may write.

A price is replaced only by one of the same slot or a later one, so that a reader which begins a
little before the place where another ended puts no old price over a new one.
"""

from collections.abc import Mapping
from typing import Any

import orjson
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from market_data.settings import Settings

# The shape of what is kept: raise it with that.
PREFIX = "market:1:"
CHANNEL = f"{PREFIX}prices"
AWAY = (RedisError, OSError, TimeoutError)

_KEEP = """
local known = redis.call('GET', KEYS[2])
if known and tonumber(known) > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[3])
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
redis.call('PUBLISH', KEYS[3], ARGV[4])
return 1
"""
_LEAD = """
local reader = redis.call('GET', KEYS[1])
if reader and reader ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_LEAVE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end"


class Store:
    """Every method raises one of AWAY when Redis does not serve."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._redis = self._connect(settings.redis_timeout)
        self._keep = self._redis.register_script(_KEEP)
        self._lead = self._redis.register_script(_LEAD)
        self._leave = self._redis.register_script(_LEAVE)

    def _connect(self, timeout: float) -> Redis:
        return Redis.from_url(
            self._settings.redis_url.get_secret_value(),
            socket_connect_timeout=self._settings.redis_connect_timeout,
            socket_timeout=timeout,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def ping(self) -> None:
        """Returns if Redis answers."""
        await self._redis.ping()

    async def lead(self) -> bool:
        """Whether this task is the one that reads, for READER_SECONDS from now."""
        keys = [f"{PREFIX}reader"]
        milliseconds = round(1000 * self._settings.reader_seconds)
        return bool(await self._lead(keys=keys, args=[self._settings.worker_id, milliseconds]))

    async def leave(self) -> None:
        """Let another task read at once."""
        await self._leave(keys=[f"{PREFIX}reader"], args=[self._settings.worker_id])

    async def keep(self, symbol: str, slot: int, value: Mapping[str, Any]) -> bool:
        """Keeps and publishes a price; False where a newer one is there."""
        keys = [f"{PREFIX}price:{symbol}", f"{PREFIX}slot:{symbol}", CHANNEL]
        told = orjson.dumps({"symbol": symbol, **value})
        arguments = [slot, orjson.dumps(value), self._settings.price_seconds, told]
        return bool(await self._keep(keys=keys, args=arguments))

    async def prices(self, symbols: list[str]) -> dict[str, dict[str, Any]]:
        """What is known of each, by symbol."""
        found = await self._redis.mget([f"{PREFIX}price:{one}" for one in symbols])
        return {
            symbol: orjson.loads(value)
            for symbol, value in zip(symbols, found, strict=True)
            if value is not None
        }

    def listening(self) -> Any:
        """A subscription to what is published: `async with` it, then `subscribe(CHANNEL)`.

        On a connection of its own, on which silence is no failure for KEEPALIVE_SECONDS.
        """
        return self._connect(2 * self._settings.keepalive_seconds).pubsub(
            ignore_subscribe_messages=True
        )
