"""Watches the stream of events beside its consumers: how many, how old, and what is no event.

Called by Lambda with a batch of one shard's records. An event is a JSON object with the strings
``id``, ``source``, ``type`` and ``time`` (RFC 3339), named as CloudEvents names them. The first
record that is none ends the batch: Lambda tries again from there, and at last lays that record
aside (the on-failure destination). So no event is counted twice; Rejected counts tries.
"""

import base64
import datetime
import json
import os

_STRINGS = ("id", "source", "type", "time")


def handler(batch: dict, _context: object) -> dict:
    """Lambda's entry.

    Args:
        batch: ``Records`` of Kinesis (data in base64, arrival in seconds since 1970).

    Returns:
        ``batchItemFailures`` with the sequence number to go on from, or an empty list.
    """
    ages, failures = [], []
    for record in (row["kinesis"] for row in batch["Records"]):
        try:
            event = read(base64.b64decode(record["data"]))
        except ValueError as error:
            number = record["sequenceNumber"]
            print(json.dumps({"level": "error", "sequenceNumber": number, "reason": str(error)}))
            failures = [{"itemIdentifier": number}]
            break
        arrived = record["approximateArrivalTimestamp"]
        ages.append(max(0.0, arrived - event["time"].timestamp()))
    print(json.dumps(_metrics(ages, len(failures))))
    return {"batchItemFailures": failures}


def read(data: bytes) -> dict:
    """The event in a record, its time as a datetime.

    Raises:
        ValueError: it is no event; says why, without the record's content.
    """
    try:
        event = json.loads(data)
    except ValueError:
        raise ValueError("the record is not JSON") from None
    if not isinstance(event, dict):
        raise ValueError("the record is not a JSON object")
    if missing := [key for key in _STRINGS if not isinstance(event.get(key), str)]:
        raise ValueError(f"the event lacks {', '.join(missing)}, or has no string there")
    try:
        time = datetime.datetime.fromisoformat(event["time"])
    except ValueError:
        raise ValueError("the event's time is not in RFC 3339") from None
    if time.tzinfo is None:
        raise ValueError("the event's time has no time zone")
    return {**event, "time": time}


def _metrics(ages: list[float], rejected: int) -> dict:
    """A line in CloudWatch's embedded metric format; ages in seconds from event to stream."""
    units = {"Events": "Count", "Rejected": "Count", "Age": "Seconds"}
    values = {"Events": len(ages), "Rejected": rejected} | ({"Age": ages} if ages else {})
    return {
        "_aws": {
            "Timestamp": int(datetime.datetime.now(datetime.UTC).timestamp() * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": "Drydock/Events",
                    "Dimensions": [["Stream"]],
                    "Metrics": [{"Name": name, "Unit": units[name]} for name in values],
                }
            ],
        },
        "Stream": os.environ["STREAM"],
        **values,
    }
