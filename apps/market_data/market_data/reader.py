"""The stream, read by one task of all: from a minute before it took over, then on.

There is no checkpoint: what was missed before is no price of now. What is read twice changes
nothing, since the newest slot wins.
"""

import asyncio
import contextlib
import datetime
import time
from typing import Any

import orjson

from market_data import logs
from market_data.aws import FAILED, Client
from market_data.metrics import Metrics
from market_data.settings import Settings
from market_data.store import AWAY, Store
from market_data.swaps import price

_BEFORE = datetime.timedelta(seconds=60)
_SHARDS_SECONDS = 30.0
SOURCE = "market_data"


class Reader:
    """`await run()` until cancelled."""

    def __init__(self, settings: Settings, kinesis: Client, store: Store, metrics: Metrics) -> None:
        self._settings = settings
        self._kinesis = kinesis
        self._store = store
        self._metrics = metrics
        self._iterators: dict[str, str | None] = {}
        self._shards_at = 0.0
        self._log = logs.get(component="reader", worker=settings.worker_id)

    async def run(self) -> None:
        """Reads while it may; stands by otherwise."""
        while True:
            begin = time.monotonic()
            try:
                await self._round()
            except (*FAILED, *AWAY) as error:
                self._metrics.failures += 1
                self._log.warning("read_failed", reason=f"{type(error).__name__}: {error}")
                # Whoever reads next begins anew: an iterator may have grown too old.
                self._iterators.clear()
                self._shards_at = 0.0
            await asyncio.sleep(max(0.0, begin + self._settings.poll_seconds - time.monotonic()))

    async def leave(self) -> None:
        """Another task may read; if Redis is away that comes by itself."""
        with contextlib.suppress(*AWAY):
            await self._store.leave()

    async def _round(self) -> None:
        leads = await self._store.lead()
        if leads != self._metrics.reading:
            self._log.info("reading" if leads else "standing_by")
        self._metrics.reading = leads
        if not leads:
            self._iterators.clear()
            self._shards_at = 0.0
            return
        if time.monotonic() >= self._shards_at:
            await self._find_shards()
            self._shards_at = time.monotonic() + _SHARDS_SECONDS
        for shard, iterator in list(self._iterators.items()):
            if iterator is not None:
                await self._read(shard, iterator)

    async def _find_shards(self) -> None:
        request: dict[str, Any] = {"StreamName": self._settings.stream_name}
        since = datetime.datetime.now(datetime.UTC) - _BEFORE
        while True:
            answer = await self._kinesis.call("list_shards", **request)
            for shard in answer["Shards"]:
                if shard["ShardId"] in self._iterators:
                    continue
                made = await self._kinesis.call(
                    "get_shard_iterator", StreamName=self._settings.stream_name,
                    ShardId=shard["ShardId"], ShardIteratorType="AT_TIMESTAMP", Timestamp=since,
                )  # fmt: skip
                self._iterators[shard["ShardId"]] = made["ShardIterator"]
            if not answer.get("NextToken"):
                return
            request = {"NextToken": answer["NextToken"]}

    async def _read(self, shard: str, iterator: str) -> None:
        answer = await self._kinesis.call(
            "get_records", ShardIterator=iterator, Limit=self._settings.batch
        )
        for record in answer["Records"]:
            await self._take(record["Data"])
        # None at the end of a shard that was split or merged.
        self._iterators[shard] = answer.get("NextShardIterator")
        self._metrics.behind_ms = answer.get("MillisBehindLatest", 0)

    async def _take(self, data: bytes) -> None:
        """Keeps the price that an event tells, if it tells one of a market of ours."""
        try:
            event = orjson.loads(data)
            pool = self._settings.pools.get(event["key"])
            if pool is None or event["type"] != "logs" or event["payload"]["err"] is not None:
                return
            found = price(event["payload"]["logs"], pool)
            slot, at = int(event["slot"]), str(event["time"])
        except (ValueError, KeyError, TypeError):
            return  # the consumer's to refuse
        if found is None:
            self._metrics.unpriced += 1
            return
        value = {"price": f"{found:f}", "observed_at": at, "source": SOURCE}
        if await self._store.keep(pool.symbol, slot, value):
            self._metrics.prices += 1
            logs.event(self._log, "priced", event, symbol=pool.symbol)
