"""One worker: keeps its leases alive, takes and loses some, and runs a reader for each."""

import asyncio
import contextlib
import time

from consumer import logs
from consumer.apply import Applier, Fenced
from consumer.aws import FAILED, Client
from consumer.balance import Watch, wanted
from consumer.database import Database
from consumer.dead_letters import DeadLetters
from consumer.leases import Lease, LeaseLost, Leases
from consumer.metrics import Metrics
from consumer.settings import Settings
from consumer.shard import ShardReader


class Worker:
    """`await run()` until `stop()`."""

    def __init__(
        self, settings: Settings, database: Database, kinesis: Client, leases: Leases,
        dead: DeadLetters, metrics: Metrics,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._database = database
        self._kinesis = kinesis
        self._leases = leases
        self._dead = dead
        self._metrics = metrics
        self._readers: dict[str, tuple[ShardReader, asyncio.Task[None]]] = {}
        self._watch = Watch(settings.lease_seconds, time.monotonic)
        self._stopping = asyncio.Event()
        self._shards_at = 0.0
        self._beat_at = time.monotonic()
        self._log = logs.get(component="worker", worker=settings.worker_id)

    def state(self) -> tuple[bool, dict]:
        """Whether it works, and on what: for /ready."""
        said = {"shards": sorted(self._readers)}
        if self._stopping.is_set():
            return False, {"status": "draining", **said}
        if not self.held:
            silent = time.monotonic() - self._beat_at
            return False, {"status": f"no leases for {silent:.0f} s", **said}
        return True, {"status": "ready", **said}

    @property
    def held(self) -> bool:
        """Whether it showed life in time: else its shards may be another worker's."""
        return time.monotonic() - self._beat_at <= self._settings.lease_seconds

    def stop(self) -> None:
        """Begin to drain."""
        self._stopping.set()

    async def run(self) -> None:
        """Works until stopped, then ends the batches under way and gives the leases back."""
        while not self._stopping.is_set():
            try:
                await self._round()
                self._beat_at = time.monotonic()
            except FAILED as error:
                self._log.warning("leases_unavailable", reason=str(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.lease_seconds / 4):
                    await self._stopping.wait()
        await self._drain()

    async def _round(self) -> None:
        """One sign of life for each lease, then a look at who else has what."""
        # First and all at once: a slow look must not cost a lease.
        await asyncio.gather(*(self._renew(shard) for shard in list(self._readers)))
        await self._reap()
        leases = await self._leases.all()
        if time.monotonic() >= self._shards_at or not leases:
            await self._find_shards(leases)
            self._shards_at = time.monotonic() + self._settings.shards_seconds
            leases = await self._leases.all()
        silent = self._watch.silent(leases)
        held = set(self._readers)
        for lease in wanted(leases, silent, self._settings.worker_id, held):
            try:
                taken = await self._leases.take(lease)
            except LeaseLost:
                continue
            self._log.info("lease_taken", shard=lease.shard, before=lease.owner, fence=taken.fence)
            self._start(taken)

    async def _renew(self, shard: str) -> None:
        reader, task = self._readers[shard]
        if task.done():
            return
        try:
            await self._leases.renew(reader.lease)
        except LeaseLost:
            self._log.warning("lease_lost", shard=shard)
            task.cancel()
            # Here, where it is known who ended it: a task's cancelling() is true for a turn of the
            # loop as well each time that a time-out of its own ends.
            await asyncio.wait([task])

    async def _reap(self) -> None:
        for shard, (reader, task) in list(self._readers.items()):
            if not task.done():
                continue
            (outcome,) = await asyncio.gather(task, return_exceptions=True)
            del self._readers[shard]
            self._metrics.drop(shard)
            if isinstance(outcome, Fenced | LeaseLost):
                self._log.warning("lease_lost", shard=shard)
                continue
            if isinstance(outcome, Exception):
                self._log.error("reader_failed", shard=shard, exc_info=outcome)
            if not isinstance(outcome, asyncio.CancelledError):
                # Ended or failed: whoever takes it next goes on from the checkpoint.
                with contextlib.suppress(LeaseLost):
                    await self._leases.release(reader.lease)
                self._shards_at = 0.0

    async def _find_shards(self, leases: dict[str, Lease]) -> None:
        found: list[dict] = []
        request: dict = {"StreamName": self._settings.stream_name}
        while True:
            answer = await self._kinesis.call("list_shards", **request)
            found += answer["Shards"]
            if not answer.get("NextToken"):
                break
            request = {"NextToken": answer["NextToken"]}
        # Parents first, so that a child is never seen before what it waits for.
        for shard in sorted(found, key=lambda one: one["ShardId"]):
            if shard["ShardId"] not in leases:
                names = (shard.get("ParentShardId"), shard.get("AdjacentParentShardId"))
                parents = tuple(name for name in names if name)
                await self._leases.create(shard["ShardId"], parents)

    def _start(self, lease: Lease) -> None:
        settings = self._settings
        applier = Applier(
            settings, self._database, self._dead, self._metrics, lease.shard, lease.fence
        )
        reader = ShardReader(settings, self._kinesis, self._leases, applier, self._metrics, lease)
        self._readers[lease.shard] = (reader, asyncio.create_task(reader.run()))

    async def _drain(self) -> None:
        self._log.info("draining", shards=len(self._readers))
        for reader, _ in self._readers.values():
            reader.stop()
        tasks = [task for _, task in self._readers.values()]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._settings.drain_timeout)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for shard, (reader, _) in self._readers.items():
            try:
                await self._leases.release(reader.lease)
            except (LeaseLost, *FAILED) as error:
                self._log.warning("not_given_back", shard=shard, reason=str(error))
        self._readers.clear()
