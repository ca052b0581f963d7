"""Kinesis: tags are kept, lag is told as AWS tells it, and a shard that was split or merged ends.

moto 5.2 drops the tags that a stream is made with; measures lag between records, so that a reader
of one old record is said to be up to date; puts new records into shards that are closed; and moves
the records of a closed shard to its children (swapping key and data as it splits), where a reader
who has them already meets them again. It also gives two records that come at once one number, so
that one of them is lost.
"""

import functools
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.kinesis.models import KinesisBackend, Record, Shard, Stream
from moto.kinesis.responses import KinesisResponse
from moto.kinesis.utils import decompose_shard_iterator

from drydock.moto.streaming import Counted, count, turn


def apply() -> None:
    KinesisResponse.create_stream = _create_stream(KinesisResponse.create_stream)
    KinesisBackend.get_records = _in_turn(_get_records(KinesisBackend.get_records))
    KinesisBackend._send_stream_metrics = _count_incoming
    Stream.get_shard_for_key = _open(Stream.get_shard_for_key)
    # The whole way of a record, with what functions are told of it (patches/awslambda.py).
    Stream.put_record = _in_turn(Stream.put_record)
    Stream.split_shard = _in_turn(_kept(Stream.split_shard))
    Stream.merge_shards = _in_turn(_kept(Stream.merge_shards))


def _create_stream(original: Any) -> Any:
    def create_stream(self: KinesisResponse) -> ActionResult:
        result = original(self)
        if tags := self._get_param("Tags"):
            self.kinesis_backend.add_tags_to_stream(None, self._get_param("StreamName"), tags)
        return result

    return create_stream


def _count_incoming(
    self: KinesisBackend, stream_name: str, incoming_bytes: int, incoming_records: int
) -> None:
    at = time.time()
    for name, value, unit in (
        ("IncomingBytes", incoming_bytes, "Bytes"),
        ("IncomingRecords", incoming_records, "Count"),
    ):
        count(Counted(self.region_name, stream_name, name, value, unit, at))


def _get_records(original: Any) -> Any:
    def get_records(
        self: KinesisBackend, stream_arn: str | None, shard_iterator: str, limit: int | None
    ) -> tuple[str | None, list[Record], int]:
        following, records, _ = original(self, stream_arn, shard_iterator, limit)
        name, shard_id, last = decompose_shard_iterator(following)
        shard = self.describe_stream(stream_arn, name).get_shard(shard_id)
        at = time.time()
        newest = int(last) >= shard.get_max_sequence_number()
        # AWS: from the last record of the answer to now, and nothing at the tip.
        behind = 0 if newest or not records else round(1000 * (at - records[-1].created_at))
        count(
            Counted(
                self.region_name, name, "GetRecords.IteratorAgeMilliseconds", behind,
                "Milliseconds", at,
            )
        )  # fmt: skip
        return (None if newest and not shard.is_open else following), records, behind

    return get_records


def _open(original: Any) -> Any:
    def get_shard_for_key(
        self: Stream, partition_key: str, explicit_hash_key: str | None
    ) -> Shard | None:
        found = original(self, partition_key, explicit_hash_key)
        # Kinesis's own way from a key to a shard.
        hashed = hashlib.md5(partition_key.encode(), usedforsecurity=False).hexdigest()
        place = int(explicit_hash_key) if explicit_hash_key else int(hashed, 16)
        while found and not found.is_open:
            found = next(
                one
                for one in self.shards.values()
                if found.shard_id in (one.parent, one.adjacent_parent)
                and one.starting_hash <= place <= one.ending_hash
            )
        return found

    return get_shard_for_key


def _kept(original: Any) -> Any:
    """Splits or merges with the records left where they were put."""

    def change(self: Stream, *shards: str) -> None:
        held: dict[str, tuple[Shard, OrderedDict[int, Record]]] = {
            name: (shard, shard.records) for name, shard in self.shards.items()
        }
        for shard, _ in held.values():
            shard.records = OrderedDict()
        try:
            original(self, *shards)
        finally:
            for shard, records in held.values():
                shard.records = records

    return change


def _in_turn(original: Callable[..., Any]) -> Callable[..., Any]:
    """One after another, whichever threads they come from."""

    @functools.wraps(original)
    def call(*arguments: Any, **named: Any) -> Any:
        with turn:
            return original(*arguments, **named)

    return call
