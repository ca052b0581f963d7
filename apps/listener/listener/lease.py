"""Which listener is the active one, and how far it has published: one row in DynamoDB.

The row has the names of the consumer's leases; `positions` is account → slot.
"""

import asyncio
import time
from typing import Any

from listener import logs
from listener.aws import FAILED, Client, code_of
from listener.settings import Settings


class LeaseLost(Exception):
    """Another listener is the active one now."""


class Lease:
    """The row, as one listener sees it."""

    def __init__(self, settings: Settings, dynamodb: Client) -> None:
        self._settings = settings
        self._dynamodb = dynamodb
        self._fence = 0
        self._valid_until = 0.0
        self._log = logs.get(component="lease", worker=settings.worker_id)

    def held(self) -> bool:
        """Whether no other listener can have taken it yet, by this machine's clock."""
        return time.monotonic() < self._valid_until

    async def acquire(self) -> dict[str, int]:
        """Waits until the lease is this listener's; returns the positions."""
        seen, since = None, time.monotonic()
        while True:
            try:
                row = await self._row()
                if (now := row and (row["fence"]["N"], row["leaseCounter"]["N"])) != seen:
                    seen, since = now, time.monotonic()
                silent = time.monotonic() - since >= self._settings.lease_seconds
                if row is None or "leaseOwner" not in row or silent:
                    return await self._take(row)
            except LeaseLost:
                pass  # Another was quicker; it is watched from now on.
            except FAILED as error:
                self._log.warning("lease_unavailable", reason=str(error))
            await asyncio.sleep(self._settings.lease_seconds / 8)

    async def keep(self, positions: dict[str, int]) -> None:
        """Signs of life with the positions, until cancelled.

        Raises LeaseLost: another has it, or DynamoDB was away for so long that one may.
        """
        while True:
            await asyncio.sleep(self._settings.lease_seconds / 4)
            try:
                await self.renew(positions)
            except FAILED as error:
                self._log.warning("lease_unavailable", reason=str(error))
                if not self.held():
                    raise LeaseLost from error

    async def renew(self, positions: dict[str, int]) -> None:
        """One sign of life. Raises LeaseLost."""
        begin = time.monotonic()
        await self._update("SET leaseCounter = leaseCounter + :one, positions = :at", positions)
        self._valid_until = begin + self._settings.lease_seconds

    async def release(self, positions: dict[str, int]) -> None:
        """Gives it back: a standby need not wait. Raises LeaseLost."""
        self._valid_until = 0.0
        await self._update(
            "SET leaseCounter = leaseCounter + :one, positions = :at REMOVE leaseOwner", positions
        )

    async def _row(self) -> dict[str, Any] | None:
        answer = await self._dynamodb.call(
            "get_item", TableName=self._settings.lease_table,
            Key={"leaseKey": {"S": self._settings.lease_key}}, ConsistentRead=True,
        )  # fmt: skip
        return answer.get("Item")

    async def _take(self, row: dict[str, Any] | None) -> dict[str, int]:
        begin = time.monotonic()
        before = int(row["fence"]["N"]) if row else 0
        positions = row.get("positions", {}).get("M", {}) if row else {}
        self._fence = max(before + 1, int(time.time() * 1000))
        item = {
            "leaseKey": {"S": self._settings.lease_key},
            "leaseOwner": {"S": self._settings.worker_id},
            "leaseCounter": {"N": "1"},
            "fence": {"N": str(self._fence)},
            "positions": {"M": positions},
        }
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(leaseKey)"}
        if row:
            # Its counter too: one that shows life at the last moment keeps it.
            condition = {
                "ConditionExpression": "fence = :fence AND leaseCounter = :counter",
                "ExpressionAttributeValues": {
                    ":fence": row["fence"], ":counter": row["leaseCounter"],
                },
            }  # fmt: skip
        await self._conditional(
            "put_item", TableName=self._settings.lease_table, Item=item, **condition
        )
        self._valid_until = begin + self._settings.lease_seconds
        self._log.info("active", fence=self._fence)
        return {account: int(slot["N"]) for account, slot in positions.items()}

    async def _update(self, change: str, positions: dict[str, int]) -> None:
        await self._conditional(
            "update_item",
            TableName=self._settings.lease_table,
            Key={"leaseKey": {"S": self._settings.lease_key}},
            UpdateExpression=change,
            ConditionExpression="fence = :fence AND leaseOwner = :me",
            ExpressionAttributeValues={
                ":fence": {"N": str(self._fence)},
                ":me": {"S": self._settings.worker_id},
                ":one": {"N": "1"},
                ":at": {"M": {name: {"N": str(slot)} for name, slot in positions.items()}},
            },
        )

    async def _conditional(self, operation: str, **arguments: Any) -> None:
        try:
            await self._dynamodb.call(operation, **arguments)
        except FAILED as error:
            if code_of(error) == "ConditionalCheckFailedException":
                raise LeaseLost from error
            raise
