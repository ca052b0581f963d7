"""One shard under one lease: read, apply, checkpoint, until the lease ends or the shard does."""

import asyncio
import time

from consumer import logs
from consumer.apply import Applier
from consumer.aws import FAILED, Client, code_of
from consumer.envelope import Record
from consumer.leases import END, START, Lease, Leases
from consumer.metrics import Metrics
from consumer.settings import Settings

# An iterator that is too old, or of a read that was refused, is made anew from the checkpoint.
_STALE = {"ExpiredIteratorException", "InvalidArgumentException"}


class ShardReader:
    """Reads one shard. `lease` is its state as last written."""

    def __init__(
        self, settings: Settings, kinesis: Client, leases: Leases, applier: Applier,
        metrics: Metrics, lease: Lease,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._kinesis = kinesis
        self._leases = leases
        self._applier = applier
        self._metrics = metrics
        self.lease = lease
        self._stopping = asyncio.Event()
        self._log = logs.get(component="shard", shard=lease.shard)

    def stop(self) -> None:
        """The batch under way is the last."""
        self._stopping.set()

    async def run(self) -> None:
        """Reads until stopped, or the shard's end.

        Raises Fenced or LeaseLost: another worker has the shard.
        """
        # From here on it counts as behind until Kinesis answers.
        self._metrics.of(self.lease.shard)
        await self._applier.claim()
        self._log.info("shard_started", checkpoint=self.lease.checkpoint, fence=self.lease.fence)
        iterator: str | None = None
        while not self._stopping.is_set():
            begin = time.monotonic()
            try:
                iterator = iterator or await self._iterator()
                answer = await self._kinesis.call(
                    "get_records", ShardIterator=iterator, Limit=self._settings.batch
                )
            except FAILED as error:
                if code_of(error) in _STALE:
                    iterator = None
                self._metrics.of(self.lease.shard).retries += 1
                self._log.warning("read_failed", reason=str(error))
                await self._pause(self._settings.retry_seconds * 5)
                continue
            await self._deal_with(answer)
            iterator = answer.get("NextShardIterator")
            if iterator is None:
                await self._checkpoint(END)
                self._log.info("shard_ended")
                return
            await self._pause(begin + self._settings.poll_seconds - time.monotonic())

    async def _iterator(self) -> str:
        at = self.lease.checkpoint
        kind = {"ShardIteratorType": START}
        if at != START:
            kind = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": at}
        answer = await self._kinesis.call(
            "get_shard_iterator", StreamName=self._settings.stream_name, ShardId=self.lease.shard,
            **kind,
        )  # fmt: skip
        return answer["ShardIterator"]

    async def _deal_with(self, answer: dict) -> None:
        records = [
            Record(self.lease.shard, row["SequenceNumber"], row["PartitionKey"], row["Data"])
            for row in answer["Records"]
        ]
        tally = self._metrics.of(self.lease.shard)
        tally.read(answer.get("MillisBehindLatest", 0), len(records))
        if records:
            await self._applier.apply(records)
            await self._checkpoint(records[-1].sequence)

    async def _checkpoint(self, sequence: str) -> None:
        while True:
            try:
                self.lease = await self._leases.checkpoint(self.lease, sequence)
                return
            except FAILED as error:
                # What is applied stays applied; without the mark it would be read once more.
                self._log.warning("checkpoint_failed", reason=str(error))
                await asyncio.sleep(self._settings.retry_seconds * 5)

    async def _pause(self, seconds: float) -> None:
        try:
            # Not wait_for: until Python 3.12 it may forget that it was cancelled.
            async with asyncio.timeout(max(0.0, seconds)):
                await self._stopping.wait()
        except TimeoutError:
            return
