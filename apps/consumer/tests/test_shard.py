"""The reader of one shard, with a Kinesis that says what moto's can't."""

import asyncio
import contextlib
from typing import Any

from botocore.exceptions import ClientError

from consumer.envelope import Record
from consumer.leases import END, START, Lease
from consumer.metrics import Metrics
from consumer.settings import Settings
from consumer.shard import ShardReader
from consumer.worker import Worker


class Kinesis:
    """Answers in turn; notes where reading began."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.begun: list[str] = []

    async def call(self, operation: str, **arguments: Any) -> Any:
        if operation == "get_shard_iterator":
            self.begun.append(arguments.get("StartingSequenceNumber", START))
            return {"ShardIterator": "i"}
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Leases:
    """Keeps checkpoints in memory."""

    def __init__(self) -> None:
        self.checkpoints: list[str] = []

    async def checkpoint(self, held: Lease, sequence: str) -> Lease:
        self.checkpoints.append(sequence)
        return Lease(held.shard, held.owner, held.counter, held.fence, sequence)


class Applier:
    """Notes what it is given."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    async def claim(self) -> None:
        pass

    async def apply(self, records: list[Record]) -> None:
        self.records += records


def answer(*sequences: str, more: bool = True) -> dict[str, Any]:
    rows = [{"SequenceNumber": one, "PartitionKey": "a", "Data": b"{}"} for one in sequences]
    return {"Records": rows, **({"NextShardIterator": "i"} if more else {})}


SETTINGS = Settings(
    stream_name="s", lease_table="t", dead_letter_queue_url="q", worker_id="me",
    database_host="h", database_name="d", database_user="u", database_password="p",
    retry_seconds=0.01,
)  # fmt: skip


async def test_a_closed_shard_is_read_to_its_end_after_a_stale_iterator():
    stale = ClientError({"Error": {"Code": "ExpiredIteratorException"}}, "GetRecords")
    kinesis = Kinesis(answer("1", "2"), stale, answer(), answer("3", more=False))
    leases, applier = Leases(), Applier()
    reader = ShardReader(
        SETTINGS,
        kinesis,
        leases,
        applier,
        Metrics("consumer"),
        Lease("shardId-0", "me", 1, 1, START),
    )
    await reader.run()
    assert [record.sequence for record in applier.records] == ["1", "2", "3"]
    assert leases.checkpoints == ["2", "3", END]
    assert kinesis.begun == [START, "2"]


async def test_a_reader_whose_pause_ends_is_not_taken_for_one_that_was_ended():
    """A time-out cancels its task for a turn of the loop, and the worker may look in that turn."""
    ended = asyncio.Event()

    async def reading() -> None:
        while not ended.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0):
                    await ended.wait()

    worker = Worker(SETTINGS, *[None] * 4, Metrics("consumer"))
    task = asyncio.create_task(reading())
    worker._readers["shardId-0"] = (None, task)
    while not task.cancelling():
        await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await worker._reap()
    assert list(worker._readers) == ["shardId-0"]
    assert not task.done()
    ended.set()
    await task
