"""The lock of an environment: a lease in a DynamoDB table that names holder and purpose."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from ansible_collections.drydock.ops.plugins.module_utils.aws import error_code
from ansible_collections.drydock.ops.plugins.module_utils.runs import Run, terraform_processes


class LockRefused(Exception):
    """Somebody else holds the lock; the text is a sentence for the person who asked."""


def timestamp(seconds: float) -> str:
    """Return a moment (seconds since the epoch) in UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class EnvironmentLock:
    """The lock of one environment in a DynamoDB table, seen by one run."""

    def __init__(self, table: Any, environment: str, run: Run, work_dir: str) -> None:
        """table: boto3 DynamoDB client bound by `bind`; see `main`."""
        self.dynamodb, self.table_name = table
        self.environment = environment
        self.name = f"{environment}/operations"
        self.run = run
        self.work_dir = work_dir

    def read(self) -> dict[str, Any]:
        """Return the item as plain values; empty when the lock is free."""
        answer = self.dynamodb.get_item(
            TableName=self.table_name, Key={"LockID": {"S": self.name}}, ConsistentRead=True
        )
        item = answer.get("Item")
        if not item:
            return {}
        run = {key: field.get("S", "") for key, field in item["Run"]["M"].items()}
        return {
            "run": Run(**{**run, "pid": int(run["pid"])}),
            "purpose": item["Purpose"]["S"],
            "acquired": float(item["Acquired"]["N"]),
            "expires": float(item["Expires"]["N"]),
        }

    def acquire(self, purpose: str, lease_minutes: int, dead_holder: str = "") -> dict[str, Any]:
        """Take or renew the lock. Returns {changed, taken_over}; raises LockRefused.

        dead_holder: `user@host` whose runs on another machine are known to have ended.
        """
        for _attempt in range(3):
            held = self.read()
            taken_over: dict[str, Any] = {}
            now = time.time()
            if held and held["run"] != self.run:
                taken_over = self._may_take_over(held, now, dead_holder)
            acquired = held["acquired"] if held and held["run"] == self.run else now
            if self._put(held, purpose, acquired, now + 60 * lease_minutes):
                # A renewal is no change: the lock was this run's before.
                return {"changed": held.get("run") != self.run, "taken_over": taken_over}
        raise LockRefused(
            f"The lock {self.name} changed hands three times while this run asked for it: "
            "other runs are starting now; try again when they have ended."
        )

    def release(self) -> bool:
        """Give the lock back if it is this run's. Returns whether it was."""
        held = self.read()
        if not held or held["run"] != self.run:
            return False
        try:
            self.dynamodb.delete_item(
                TableName=self.table_name,
                Key={"LockID": {"S": self.name}},
                ConditionExpression="#run = :run",
                ExpressionAttributeNames={"#run": "Run"},
                ExpressionAttributeValues={":run": self._run_value(self.run)},
            )
        except Exception as error:
            if error_code(error) == "ConditionalCheckFailedException":
                return False
            raise
        return True

    def refusal(self, held: dict[str, Any]) -> str:
        """Return the sentence for the person whose run has to wait."""
        holder: Run = held["run"]
        return (
            f"The lock {self.name} (table {self.table_name}) is held by {holder.name} for "
            f"{held['purpose']} since {timestamp(held['acquired'])}, at the latest until "
            f"{timestamp(held['expires'])}; nothing was changed. Wait until that run has ended and "
            "start this one again; the lock of a run that has died on this machine is taken over "
            "at once, that of another machine's when it expires, or by "
            f"runbooks/state-lock-stuck.yml -e dead_holder={holder.user}@{holder.host} once "
            "somebody has seen there that it has ended."
        )

    def _may_take_over(self, held: dict[str, Any], now: float, dead_holder: str) -> dict[str, Any]:
        holder: Run = held["run"]
        dead = holder.is_known_dead(self.run)
        # Nobody's word counts for a run of this machine, which can be seen to live.
        vouched = (
            dead_holder == f"{holder.user}@{holder.host}" and holder.machine != self.run.machine
        )
        if not dead and not vouched and held["expires"] > now:
            raise LockRefused(self.refusal(held))
        orphans = terraform_processes(self.work_dir)
        if orphans:
            pid, data_dir = orphans[0]
            raise LockRefused(
                f"The run {holder.name} that holds the lock {self.name} for {held['purpose']} "
                "since "
                f"{timestamp(held['acquired'])} has ended, but a terraform that it started "
                "(process "
                f"{pid}, {data_dir}) still works; nothing was changed. Wait until that process has "
                "ended, then start this run again."
            )
        return {
            "holder": holder.name,
            "reason": "ended" if dead else "ended elsewhere, as was said" if vouched else "expired",
            "purpose": held["purpose"],
            "acquired": timestamp(held["acquired"]),
        }

    def _put(self, seen: dict[str, Any], purpose: str, acquired: float, expires: float) -> bool:
        """Write this run's item unless somebody else wrote since `seen` was read."""
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(LockID)"}
        if seen:
            condition = {
                "ConditionExpression": "#run = :run AND Expires = :expires",
                "ExpressionAttributeNames": {"#run": "Run"},
                "ExpressionAttributeValues": {
                    ":run": self._run_value(seen["run"]),
                    ":expires": {"N": str(int(seen["expires"]))},
                },
            }
        try:
            self.dynamodb.put_item(
                TableName=self.table_name,
                Item={
                    "LockID": {"S": self.name},
                    "Holder": {"S": self.run.name},
                    "Purpose": {"S": purpose},
                    "Acquired": {"N": str(int(acquired))},
                    "Expires": {"N": str(int(expires))},
                    "Run": self._run_value(self.run),
                },
                **condition,
            )
        except Exception as error:
            if error_code(error) == "ConditionalCheckFailedException":
                return False
            raise
        return True

    @staticmethod
    def _run_value(run: Run) -> dict[str, Any]:
        return {"M": {key: {"S": str(value)} for key, value in run.as_dict().items()}}
