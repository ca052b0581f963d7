"""Records that could not be applied, in SQS, with what is needed to look at them and try again."""

import base64
import json
import time
from typing import Any

from consumer.aws import Client
from consumer.envelope import Record

# The least that SQS takes anywhere, in bytes, with room for the reason and base64's third.
_MOST = 180_000


class DeadLetters:
    """The queue of dead letters, and the stream for what is too long for it."""

    def __init__(self, sqs: Client, kinesis: Client, queue_url: str, stream: str) -> None:
        self._sqs = sqs
        self._kinesis = kinesis
        self._queue = queue_url
        self._stream = stream

    async def send(self, record: Record, reason: str, attempts: int) -> None:
        """Puts a record there; raises what boto3 raises.

        A record that is too long is left in the stream, where `record` finds it while the
        stream's retention lasts.
        """
        fits = len(record.data) <= _MOST
        letter = {
            "reason": reason[:2000],
            "attempts": attempts,
            "stream": self._stream,
            "shard": record.shard,
            "sequence": record.sequence,
            "key": record.key,
            "rejected_at": round(time.time(), 3),
            "data": base64.b64encode(record.data).decode() if fits else None,
        }
        await self._sqs.call("send_message", QueueUrl=self._queue, MessageBody=json.dumps(letter))

    async def receive(self, seconds: int) -> list[dict[str, Any]]:
        """Up to ten messages, hidden from others for so long; none when the queue is empty."""
        answer = await self._sqs.call(
            "receive_message", QueueUrl=self._queue, MaxNumberOfMessages=10,
            VisibilityTimeout=seconds, WaitTimeSeconds=1,
        )  # fmt: skip
        return answer.get("Messages", [])

    async def delete(self, message: dict[str, Any]) -> None:
        """Takes a received message out."""
        await self._sqs.call(
            "delete_message", QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"]
        )

    async def show(self, message: dict[str, Any]) -> None:
        """Lets others see a received message again at once."""
        await self._sqs.call(
            "change_message_visibility", QueueUrl=self._queue,
            ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0,
        )  # fmt: skip

    async def record(self, message: dict[str, Any]) -> Record:
        """The record that a message is about.

        Raises ValueError: it is no letter of ours, or its record is no longer in the stream.
        """
        try:
            letter = json.loads(message["Body"])
            shard, sequence, key = letter["shard"], letter["sequence"], letter["key"]
            data = letter["data"]
            if data is not None:
                return Record(shard, sequence, key, base64.b64decode(data))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"the message is not a dead letter of this service: {error}") from None
        return await self._from_stream(shard, sequence)

    async def _from_stream(self, shard: str, sequence: str) -> Record:
        iterator = await self._kinesis.call(
            "get_shard_iterator", StreamName=self._stream, ShardId=shard,
            ShardIteratorType="AT_SEQUENCE_NUMBER", StartingSequenceNumber=sequence,
        )  # fmt: skip
        answer = await self._kinesis.call(
            "get_records", ShardIterator=iterator["ShardIterator"], Limit=1
        )
        for row in answer["Records"]:
            if row["SequenceNumber"] == sequence:
                return Record(shard, sequence, row["PartitionKey"], row["Data"])
        raise ValueError(f"record {sequence} of {shard} is no longer in the stream")
