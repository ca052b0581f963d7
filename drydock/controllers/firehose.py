"""Firehose: carries the records of Kinesis streams into S3.

Every record is taken from the stream once and kept until S3 has it: so in one cloud's life none is
lost and none is written twice, and those of a shard stay in their order. What waits is written
when it is as much, or has waited as long, as the buffering hints say.

Source: Amazon Data Firehose developer guide, "Data delivery", "Handle data delivery failures" and
"Monitoring with CloudWatch metrics".
"""

import gzip
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from drydock.controller import Cloud, Controller
from drydock.controllers import firehose_names
from drydock.errors import ApiError, DrydockError
from drydock.moto import firehose, logs, s3
from drydock.moto.api import PASS, Context, Handler
from drydock.moto.firehose import Cursor, Delivery, Record


@dataclass
class _Line:
    """One delivery stream at work: where it reads, what waits, why S3 refused it last."""

    cursor: Cursor
    waiting: list[Record] = field(default_factory=list)
    refused: str = ""


class FirehoseController(Controller):
    """Delivers, and publishes ``AWS/Firehose``."""

    name = "firehose"

    def __init__(self, cloud: Cloud):
        super().__init__(cloud)
        self._lines: dict[tuple[str, object], _Line] = {}

    def operations(self) -> Mapping[tuple[str, str], Handler]:
        return {
            ("firehose", "CreateDeliveryStream"): self._create,
            ("firehose", "UpdateDestination"): self._update,
        }

    def _create(self, _context: Context, given: dict[str, Any]) -> dict[str, Any]:
        if given.get("KinesisStreamSourceConfiguration"):
            _refuse_what_is_not_done(given, "Configuration")
        return PASS

    def _update(self, context: Context, given: dict[str, Any]) -> dict[str, Any]:
        known = {(one.region, one.name) for one in firehose.deliveries()}
        if (context.region, given["DeliveryStreamName"]) in known:
            _refuse_what_is_not_done(given, "Update")
        return PASS

    def reconcile(self) -> None:
        # One that is deleted and made again under its name is another.
        found = {(one.arn, one.since): one for one in firehose.deliveries()}
        for gone in self._lines.keys() - found.keys():
            del self._lines[gone]
        for which, delivery in found.items():
            if which not in self._lines:
                self._lines[which] = _Line(Cursor(delivery.source, delivery.since))
            line = self._lines[which]
            self._take(delivery, line)
            self._deliver(delivery, line)

    def _take(self, delivery: Delivery, line: _Line) -> None:
        if records := line.cursor.read():
            line.waiting += records
            size = sum(len(record.data) for record in records)
            self._put(delivery, "DataReadFromKinesisStream.Records", len(records), "Count")
            self._put(delivery, "DataReadFromKinesisStream.Bytes", size, "Bytes")

    def _deliver(self, delivery: Delivery, line: _Line) -> None:
        patience = self.cloud.settings.scaled(delivery.destination.interval)
        while line.waiting:
            batch, full = _batch(line.waiting, delivery.destination.size)
            oldest = min(record.at for record in batch)
            if not full and time.time() - oldest < patience:
                return
            refusal = self._write(delivery, batch, oldest)
            self._put(delivery, "DeliveryToS3.DataFreshness", time.time() - oldest, "Seconds")
            self._put(delivery, "DeliveryToS3.Success", 0 if refusal else 1, "None")
            if refusal:
                self._tell(delivery, line, refusal)
                return
            del line.waiting[: len(batch)]
            line.refused = ""

    def _write(self, delivery: Delivery, batch: list[Record], oldest: float) -> ApiError | None:
        to = delivery.destination
        content = b"".join(record.data + to.delimiter for record in batch)
        written = gzip.compress(content) if to.gzip else content
        try:
            s3.put(to.bucket, firehose_names.key(delivery, oldest), written, to.kms_key)
        except ApiError as refusal:
            return refusal
        self._put(delivery, "DeliveryToS3.Records", len(batch), "Count")
        self._put(delivery, "DeliveryToS3.Bytes", len(written), "Bytes")
        return None

    def _put(self, delivery: Delivery, name: str, value: float, unit: str) -> None:
        stream = {"DeliveryStreamName": delivery.name}
        self.cloud.metrics.put(delivery.region, "AWS/Firehose", name, stream, value, unit)

    def _tell(self, delivery: Delivery, line: _Line, refusal: ApiError) -> None:
        """Says why nothing is delivered: once, not at every try."""
        if line.refused == str(refusal):
            return
        line.refused = str(refusal)
        self.log.warning("%s is tried again: %s", delivery.name, refusal)
        if not delivery.destination.log:
            return
        told = {
            "deliveryStreamARN": delivery.arn,
            "destination": f"arn:aws:s3:::{delivery.destination.bucket}",
            "deliveryStreamVersionId": int(delivery.version),
            "message": refusal.message,
            "errorCode": f"S3.{refusal.code}",
        }
        try:
            row = (int(1000 * time.time()), json.dumps(told))
            logs.put(delivery.region, *delivery.destination.log, [row])
        except DrydockError as error:
            self.log.warning("%s can't log: %s", delivery.name, error)


def _batch(waiting: list[Record], size: int) -> tuple[list[Record], bool]:
    """The records of the next object, and whether they are as much as one is to hold."""
    total = 0
    for number, record in enumerate(waiting, start=1):
        total += len(record.data)
        if total >= size:
            return waiting[:number], True
    return waiting, False


def _refuse_what_is_not_done(given: Mapping[str, Any], suffix: str) -> None:
    """Raises ApiError where records would have to be changed, or named, as is not done here."""
    to = given.get(f"ExtendedS3Destination{suffix}") or given.get(f"S3Destination{suffix}")
    wrong = _not_done(to) if to else ["a destination other than S3"]
    if wrong:
        raise ApiError(
            "NotImplemented",
            f"The embedded cloud does not deliver {given['DeliveryStreamName']} with "
            f"{', '.join(wrong)}: leave that out; see docs/fidelity.md.",
            501,
        )


def _not_done(to: Mapping[str, Any]) -> list[str]:
    kinds = {processor["Type"] for processor in firehose.processors(to)}
    wrong = [f"the processor {kind}" for kind in sorted(kinds - {"AppendDelimiterToRecord"})]
    wrong += [f"the expression {one}" for one in firehose_names.unknown(to.get("Prefix") or "")]
    for name, fine in (
        ("CompressionFormat", ("UNCOMPRESSED", "GZIP")),
        ("CustomTimeZone", ("UTC",)),
        ("S3BackupMode", ("Disabled",)),
    ):
        if (value := to.get(name)) and value not in fine:
            wrong.append(f"{name} {value}")
    for name in ("DataFormatConversionConfiguration", "DynamicPartitioningConfiguration"):
        if (configuration := to.get(name)) and configuration.get("Enabled", True):
            wrong.append(name)
    return wrong
