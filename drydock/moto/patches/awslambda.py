"""Lambda: functions are run (see drydock.functions), and streams are read for them in batches.

moto 5.2 would start Docker within the very call that puts a record. Here a thread for each mapping
takes what has come, as Lambda's pollers do: retries, lays aside at last what can't be worked on.
"""

import json
import logging
import os
import queue
import threading
import uuid
from typing import Any

from moto.awslambda.models import EventSourceMapping, LambdaBackend, LambdaFunction
from moto.backends import get_backend
from moto.core.utils import utcnow
from moto.kinesis.models import Stream

from drydock import functions

log = logging.getLogger("drydock.lambda")
_GATHER_SECONDS = 0.5  # AWS: maximum_batching_window_in_seconds
_pollers: dict[str, queue.Queue[dict[str, Any]]] = {}


def apply() -> None:
    put, create = Stream.put_record, LambdaBackend.create_event_source_mapping
    delete = LambdaBackend.delete_event_source_mapping

    def put_record(self: Stream, partition_key: str, *rest: Any) -> tuple[str, str]:
        mappings, self.lambda_event_source_mappings = self.lambda_event_source_mappings, {}
        try:
            number, shard = put(self, partition_key, *rest)
        finally:
            self.lambda_event_source_mappings = mappings
        for mapping in mappings.values():
            if mapping.uuid in _pollers:
                _pollers[mapping.uuid].put(_record(self, shard, number, partition_key, rest[-1]))
        return number, shard

    def create_mapping(self: LambdaBackend, spec: dict[str, Any]) -> EventSourceMapping:
        made = create(self, spec)
        if ":kinesis:" in made.event_source_arn:
            _pollers[made.uuid] = queue.Queue()
            threading.Thread(
                target=_poll, args=(self, made), name="lambda-poller", daemon=True
            ).start()
        return made

    def delete_mapping(self: LambdaBackend, uuid: str) -> EventSourceMapping | None:
        if waiting := _pollers.pop(uuid, None):
            waiting.put({})  # wakes the thread, which then ends
        return delete(self, uuid)

    Stream.put_record = put_record
    LambdaBackend.create_event_source_mapping = create_mapping
    LambdaBackend.delete_event_source_mapping = delete_mapping
    LambdaFunction._invoke_lambda = _invoke


def _invoke(self: LambdaFunction, event: Any = None) -> tuple[str, bool, str]:
    environment = {
        **self.environment_vars,
        "AWS_REGION": self.region,
        "AWS_DEFAULT_REGION": self.region,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{os.environ.get('DRYDOCK_PORT', '4566')}",
        "AWS_ACCESS_KEY_ID": self.function_name[:128],
        "AWS_SECRET_ACCESS_KEY": "function",
        "AWS_LAMBDA_FUNCTION_NAME": self.function_name,
    }
    done = functions.run(self.code_bytes, self.handler, event, environment, self.timeout)
    self.logs_backend.ensure_log_group(self.logs_group_name)
    if done.log:
        self.save_logs(done.log)
    return done.result, done.failed, done.log


def _record(stream: Stream, shard: str, number: str, key: str, data: str) -> dict[str, Any]:
    return {
        "eventSource": "aws:kinesis",
        "eventID": f"{shard}:{number}",
        "eventName": "aws:kinesis:record",
        "eventSourceARN": stream.arn,
        "awsRegion": stream.region,
        "kinesis": {
            "partitionKey": key,
            "sequenceNumber": number,
            "data": data,
            "approximateArrivalTimestamp": utcnow().timestamp(),
        },
    }


def _poll(backend: LambdaBackend, mapping: EventSourceMapping) -> None:
    waiting = _pollers[mapping.uuid]
    while mapping.uuid in _pollers:
        batch = [waiting.get()]
        try:
            while len(batch) < mapping.batch_size:
                batch.append(waiting.get(timeout=_GATHER_SECONDS))
        except queue.Empty:
            pass
        try:
            _work(backend, mapping, [row for row in batch if row])
        except Exception:
            log.exception("%s: a batch of %s is lost", mapping.function_arn, len(batch))


def _work(backend: LambdaBackend, mapping: EventSourceMapping, batch: list[dict]) -> None:
    """Hands over a batch; a record that fails every retry is laid aside, the rest goes on."""
    retries = -1 if mapping.max_retry_attempts is None else mapping.max_retry_attempts
    tries = 0
    while batch:
        function = backend.get_function(mapping.function_arn)
        result, failed, _ = function._invoke_lambda({"Records": batch})
        answer = {} if failed else json.loads(result) or {}
        bad = [row["itemIdentifier"] for row in answer.get("batchItemFailures", [])]
        if not failed and not bad:
            return
        numbers = [row["kinesis"]["sequenceNumber"] for row in batch]
        first = 0 if failed else min(numbers.index(number) for number in bad)
        tries = tries + 1 if first == 0 else 1
        batch = batch[first:]
        if tries > retries >= 0:
            # AWS halves the batch until one record is left; it comes to the same.
            _lay_aside(backend, mapping, batch.pop(0), tries)
            tries = 0


def _lay_aside(
    backend: LambdaBackend, mapping: EventSourceMapping, record: dict, tries: int
) -> None:
    """Writes Lambda's invocation record into the bucket that is the on-failure destination."""
    target = ((mapping.destination_config or {}).get("OnFailure") or {}).get("Destination", "")
    if not target.startswith("arn:aws:s3:::"):
        log.warning("%s: a record is dropped: it has no bucket to go to", mapping.function_arn)
        return
    now, number = utcnow(), record["kinesis"]["sequenceNumber"]
    shard = record["eventID"].split(":")[0]
    content = {
        "requestContext": {
            "functionArn": mapping.function_arn,
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": tries,
        },
        "timestamp": now.isoformat(timespec="milliseconds") + "Z",
        "KinesisBatchInfo": {
            "shardId": shard,
            "startSequenceNumber": number,
            "endSequenceNumber": number,
            "batchSize": 1,
            "streamArn": record["eventSourceARN"],
        },
        "payload": json.dumps({"Records": [record]}),
    }
    key = f"aws/lambda/{mapping.uuid}/{shard}/{now:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}"
    storage = get_backend("s3")[backend.account_id]["aws"]
    storage.put_object(target.removeprefix("arn:aws:s3:::"), key, json.dumps(content).encode())
