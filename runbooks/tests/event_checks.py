"""What the runbooks on the pipeline of events check: its consumer works, and nothing waits."""

# ruff: noqa: S101 (checks that test files take over)

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

Client = Callable[[str], Any]
END = "SHARD_END"
LIFE_SECONDS = 30  # an owner shows life four times in LEASE_SECONDS
POLL_SECONDS = 0.5


def _leases(aws: Client, facts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    table = facts["outputs"]["streaming"]["lease_table_name"]
    rows = aws("dynamodb").scan(TableName=table, ConsistentRead=True)["Items"]
    return {
        row["leaseKey"]["S"]: row
        for row in rows
        if row["leaseKey"]["S"].startswith("shardId-") and row["checkpoint"]["S"] != END
    }


def test_every_shard_has_an_owner_that_shows_life(aws: Client, facts: dict[str, Any]) -> None:
    before = _leases(aws, facts)
    assert before, "no shard has a lease: nobody has ever read the stream"
    end = time.monotonic() + LIFE_SECONDS
    while True:
        silent = [
            shard
            for shard, row in _leases(aws, facts).items()
            if "leaseOwner" not in row
            or row["leaseCounter"] == before.get(shard, {}).get("leaseCounter")
        ]
        if not silent:
            return
        assert time.monotonic() < end, silent
        time.sleep(POLL_SECONDS)


def test_no_letter_waits(aws: Client, facts: dict[str, Any]) -> None:
    queue = facts["outputs"]["streaming"]["dead_letter_queue_url"]
    name = "ApproximateNumberOfMessages"
    told = aws("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=[name])
    assert told["Attributes"][name] == "0"
