"""Who reads which shard and how far: one row per shard in DynamoDB, changed only on a condition.

The names are the Kinesis Client Library's where it has one. `leaseCounter` grows with each sign of
life of the owner, `fence` with each change of owner.
"""

import time
from dataclasses import dataclass, replace
from typing import Any

from consumer.aws import Client, code_of

START, END = "TRIM_HORIZON", "SHARD_END"
# Rows of others (the listener's) may lie in the same table.
_PREFIX = "shardId-"


class LeaseLost(Exception):
    """The row is no longer as this worker knew it: somebody else took it."""


@dataclass(frozen=True)
class Lease:
    """A row. `checkpoint` is the last sequence number dealt with, or START or END."""

    shard: str
    owner: str | None
    counter: int
    fence: int
    checkpoint: str
    parents: tuple[str, ...] = ()


class Leases:
    """The table of leases; each method raises what boto3 raises when DynamoDB is away."""

    def __init__(self, dynamodb: Client, table: str, worker: str) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._worker = worker

    async def all(self) -> dict[str, Lease]:
        """Every shard's lease, by shard."""
        found, more = {}, {}
        while True:
            answer = await self._dynamodb.call(
                "scan", TableName=self._table, ConsistentRead=True,
                FilterExpression="begins_with(leaseKey, :prefix)",
                ExpressionAttributeValues={":prefix": {"S": _PREFIX}}, **more,
            )  # fmt: skip
            for row in answer["Items"]:
                lease = _lease(row)
                found[lease.shard] = lease
            if "LastEvaluatedKey" not in answer:
                return found
            more = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    async def create(self, shard: str, parents: tuple[str, ...]) -> None:
        """A row for a shard that has none; another worker may have been quicker."""
        item: dict[str, Any] = {
            "leaseKey": {"S": shard},
            "leaseCounter": {"N": "0"},
            "fence": {"N": "0"},
            "checkpoint": {"S": START},
            "parents": {"L": [{"S": parent} for parent in parents]},
        }
        try:
            await self._dynamodb.call(
                "put_item", TableName=self._table, Item=item,
                ConditionExpression="attribute_not_exists(leaseKey)",
            )  # fmt: skip
        except Exception as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise

    async def take(self, seen: Lease) -> Lease:
        """The lease, now this worker's. Raises LeaseLost: it has changed hands since."""
        # The time, so that fences still grow if the table was lost and begins anew.
        fence = max(seen.fence + 1, int(time.time() * 1000))
        row = await self._update(
            seen,
            "SET leaseOwner = :me, leaseCounter = leaseCounter + :one, fence = :new",
            {":me": {"S": self._worker}, ":new": {"N": str(fence)}, ":one": {"N": "1"}},
            owned=False,
        )
        return _lease(row)

    async def renew(self, held: Lease) -> None:
        """A sign of life. Raises LeaseLost."""
        await self._update(
            held, "SET leaseCounter = leaseCounter + :one", {":one": {"N": "1"}}, owned=True
        )

    async def checkpoint(self, held: Lease, sequence: str) -> Lease:
        """All up to `sequence` is dealt with; a sign of life too. Raises LeaseLost."""
        await self._update(
            held, "SET checkpoint = :at, leaseCounter = leaseCounter + :one",
            {":at": {"S": sequence}, ":one": {"N": "1"}}, owned=True,
        )  # fmt: skip
        return replace(held, checkpoint=sequence)

    async def release(self, held: Lease) -> None:
        """Gives the lease back. Raises LeaseLost."""
        await self._update(
            held, "SET leaseCounter = leaseCounter + :one REMOVE leaseOwner",
            {":one": {"N": "1"}}, owned=True,
        )  # fmt: skip

    async def _update(
        self, lease: Lease, change: str, values: dict[str, Any], owned: bool
    ) -> dict[str, Any]:
        condition = "fence = :fence"
        values = {**values, ":fence": {"N": str(lease.fence)}}
        if owned:
            condition += " AND leaseOwner = :me"
            values[":me"] = {"S": self._worker}
        try:
            answer = await self._dynamodb.call(
                "update_item", TableName=self._table, Key={"leaseKey": {"S": lease.shard}},
                UpdateExpression=change, ConditionExpression=condition,
                ExpressionAttributeValues=values, ReturnValues="ALL_NEW",
            )  # fmt: skip
        except Exception as error:
            if code_of(error) == "ConditionalCheckFailedException":
                raise LeaseLost(lease.shard) from error
            raise
        return answer["Attributes"]


def _lease(row: dict[str, Any]) -> Lease:
    return Lease(
        shard=row["leaseKey"]["S"],
        owner=row.get("leaseOwner", {}).get("S"),
        counter=int(row["leaseCounter"]["N"]),
        fence=int(row["fence"]["N"]),
        checkpoint=row["checkpoint"]["S"],
        parents=tuple(each["S"] for each in row.get("parents", {}).get("L", [])),
    )
