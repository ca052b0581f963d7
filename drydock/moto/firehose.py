"""Delivery streams with a Kinesis stream as their source, and what is to be read of that."""

import datetime
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from moto.backends import get_backend
from moto.firehose.models import DeliveryStream
from moto.kinesis.models import Stream

from drydock.moto.streaming import turn
from drydock.settings import ACCOUNT_ID

# Firehose's own, where a delivery stream says nothing (API reference, BufferingHints).
_MIB, _SECONDS = 5, 300


class Record(NamedTuple):
    """A record of a stream; ``at``: when it came into it, epoch seconds."""

    data: bytes
    at: float


@dataclass(frozen=True)
class Destination:
    """Where records go, and in what shape.

    Attributes:
        prefix: of the objects' keys, its expressions not yet evaluated.
        extension: what keys end with; empty for none.
        delimiter: what follows each record.
        size: bytes, before compression, after which an object is written.
        interval: seconds of AWS's clock after which one is written however small it is.
        kms_key: ARN of the key of the objects; None for the bucket's own encryption.
        log: group and stream that failures are told to; None for nobody.
    """

    bucket: str
    prefix: str
    extension: str
    gzip: bool
    delimiter: bytes
    size: int
    interval: float
    kms_key: str | None
    log: tuple[str, str] | None


@dataclass(frozen=True)
class Delivery:
    """A delivery stream.

    Attributes:
        version: begins with 1, and is one more after every change of the destination.
        source: ARN of the Kinesis stream.
        since: when it was made, UTC without a zone: records from then on are delivered.
    """

    region: str
    name: str
    arn: str
    version: str
    source: str
    since: datetime.datetime
    destination: Destination


class Cursor:
    """Reads each record of a Kinesis stream once: those of a shard in their order, those of a
    shard that was split or merged before its children's.

    Counts for no reader in the stream's metrics. A stream that is made anew is read anew.
    """

    def __init__(self, source: str, since: datetime.datetime):
        self._source, self._since = source, since
        self._stream: Stream | None = None
        self._read: dict[str, int] = {}

    def read(self) -> list[Record]:
        """What has come since the last call; nothing while there is no such stream."""
        with turn:
            return self._read_on()

    def _read_on(self) -> list[Record]:
        _, _, _, region, account, resource = self._source.split(":", 5)
        streams = get_backend("kinesis")[account][region].streams
        stream = streams.get(resource.removeprefix("stream/"))
        known = self._read if stream is self._stream else {}
        read, records = dict(known), []
        for shard in list(stream.shards.values()) if stream else []:
            # moto counts a shard's records from 1, and keeps them.
            number = read.get(shard.shard_id, 0) + 1
            while found := shard.records.get(number):
                if found.created_at_datetime >= self._since:
                    records.append(Record(b64decode(found.data), found.created_at))
                number += 1
            read[shard.shard_id] = number - 1
        # Both at once, and last: a read that fails has not been.
        self._stream, self._read = stream, read
        return records


def deliveries() -> list[Delivery]:
    """The delivery streams that take from a Kinesis stream to S3."""
    return [
        _delivery(region, stream)
        for region, backend in list(get_backend("firehose")[ACCOUNT_ID].items())
        for stream in list(backend.delivery_streams.values())
        if stream.source and _s3(stream.destinations[0])
    ]


def _s3(destination: Mapping[str, Any]) -> dict[str, Any] | None:
    return destination.get("ExtendedS3") or destination.get("S3")


def _delivery(region: str, stream: DeliveryStream) -> Delivery:
    return Delivery(
        region,
        stream.delivery_stream_name,
        stream.delivery_stream_arn,
        stream.version_id,
        stream.source["KinesisStreamARN"],
        stream.create_timestamp,
        _destination(_s3(stream.destinations[0]) or {}),
    )


def _destination(given: Mapping[str, Any]) -> Destination:
    hints = given.get("BufferingHints") or {}
    gzip = given.get("CompressionFormat") == "GZIP"
    key = (given.get("EncryptionConfiguration") or {}).get("KMSEncryptionConfig") or {}
    log = given.get("CloudWatchLoggingOptions") or {}
    return Destination(
        given["BucketARN"].split(":")[-1],
        given.get("Prefix") or "",
        given.get("FileExtension") or (".gz" if gzip else ""),
        gzip,
        _delimiter(given),
        hints.get("SizeInMBs", _MIB) * 2**20,
        hints.get("IntervalInSeconds", _SECONDS),
        key.get("AWSKMSKeyARN"),
        (log["LogGroupName"], log["LogStreamName"]) if log.get("Enabled") else None,
    )


def processors(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What works on the records of a destination, in the API's shapes."""
    processing = given.get("ProcessingConfiguration") or {}
    return processing.get("Processors") or [] if processing.get("Enabled") else []


def _delimiter(given: Mapping[str, Any]) -> bytes:
    for processor in processors(given):
        if processor["Type"] == "AppendDelimiterToRecord":
            named = {
                one["ParameterName"]: one["ParameterValue"]
                for one in processor.get("Parameters") or []
            }
            # It is given as in a source text: a backslash and an n.
            return named.get("Delimiter", r"\n").replace(r"\n", "\n").encode()
    return b""
