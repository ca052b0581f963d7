"""The journal of undo: what a runbook has begun, and the calls that take it back.

One DynamoDB item `<environment>/runbook` in the table of the locks. A step is written before
the call that changes something, so that whoever comes later (the run's own rescue, the end of
an interrupted run, or the next run after a kill) knows what to take back, even where it can't
know whether the call was still made: an undo is a call that is right in both cases.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from ansible_collections.drydock.ops.plugins.module_utils.aws import client, error_code, explain
from ansible_collections.drydock.ops.plugins.module_utils.runs import Run, moment, session

with contextlib.suppress(ImportError):  # said by aws.require_boto3
    from botocore import xform_name


class JournalRefused(Exception):
    """The journal is not this run's; the text is a sentence for the person who runs."""


class Journal:
    """The journal of one environment, seen by one run.

    A step is a dict: step (text), state (begun, done, undone, kept), at and done_at (ISO 8601,
    UTC), calls (list of {service, operation, parameters, region}; empty: can't be undone), keep,
    session.
    """

    def __init__(self, table_client: Any, table: str, environment: str, run: Run) -> None:
        """table_client: boto3 DynamoDB client; table: name of the lock table."""
        self.dynamodb, self.table, self.environment, self.run = (
            table_client,
            table,
            environment,
            run,
        )
        self.name = f"{environment}/runbook"

    def read(self) -> dict[str, Any]:
        """Return {runbook, run, opened (epoch), steps}; empty when no runbook is open."""
        item = self.dynamodb.get_item(
            TableName=self.table, Key={"LockID": {"S": self.name}}, ConsistentRead=True
        ).get("Item")
        if not item:
            return {}
        return {
            "runbook": item["Runbook"]["S"],
            "run": Run(**json.loads(item["Holder"]["S"])),
            "opened": float(item["Opened"]["N"]),
            "steps": [json.loads(step["S"]) for step in item["Steps"]["L"]],
        }

    def open(self, runbook: str) -> None:
        """Begin an empty journal. Call it while holding the environment's lock, after what an
        earlier run left has been undone and cleared."""
        self.dynamodb.put_item(
            TableName=self.table,
            Item={
                "LockID": {"S": self.name},
                "Runbook": {"S": runbook},
                "Holder": {"S": self._holder()},
                "Opened": {"N": str(int(time.time()))},
                "Steps": {"L": []},
            },
        )

    def begin(
        self, step: str, undo_calls: Sequence[dict[str, Any]] | None, *, keep: bool = False
    ) -> None:
        """Write a step down. Call it right before the call that changes something.

        undo_calls: {service, operation, parameters, region} of the AWS calls that take the step
        back, in the order to make them (boto3's names; no secret among the parameters: what a
        call needs of one is its ARN); None or empty where it can't be undone. keep: once done,
        the step stays even if the runbook fails later (what is whole in itself, as a rollback).
        Raises JournalRefused where this run holds no open journal.
        """
        self._write(
            "SET Steps = list_append(Steps, :step)",
            {
                ":step": {
                    "L": [
                        self._text(
                            {
                                "step": step,
                                "state": "begun",
                                "at": moment(),
                                "calls": list(undo_calls or []),
                                "keep": keep,
                                "session": session(),
                            }
                        )
                    ]
                }
            },
            step,
        )

    def done(self, step: str) -> None:
        """Mark the step as done: the change was made and took effect."""
        for index, entry in reversed(list(enumerate(self.read().get("steps", [])))):
            if entry["step"] == step and entry["state"] == "begun":
                state = "kept" if entry["keep"] else "done"
                self._mark(index, {**entry, "state": state, "done_at": moment()})
                return
        raise JournalRefused(f"Step {step!r} is not in the journal {self.name}: begin it first.")

    def unfinished(self) -> list[dict[str, Any]]:
        """Return the steps that would be undone now, the last first; empty when there is none."""
        steps = self.read().get("steps", [])
        return [step for step in reversed(steps) if step["state"] in ("begun", "done")]

    def undo(self, make_client: Callable[[str, str], Any] = client) -> list[dict[str, Any]]:
        """Take back every unfinished step, the last first, also those of another, dead run.

        Returns one {step, at, undone, text} per step; a step that fails to be undone does not
        keep the others from it, stays in the journal, and its text says why.
        """
        journal = self.read()
        report = []
        for index, step in reversed(list(enumerate(journal.get("steps", [])))):
            if step["state"] not in ("begun", "done"):
                continue
            error = self._make(step["calls"], make_client)
            undone = bool(step["calls"]) and not error
            if undone:
                self._mark(index, {**step, "state": "undone"}, journal["run"])
            report.append(
                {
                    "at": moment(),
                    "step": step["step"],
                    "undone": undone,
                    "text": _say(step, error),
                }
            )
        return report

    def clear(self) -> None:
        """Forget all steps and close the journal: the runbook ended well, or was undone."""
        self.dynamodb.delete_item(TableName=self.table, Key={"LockID": {"S": self.name}})

    @staticmethod
    def _make(calls: list[dict[str, Any]], make_client: Callable[[str, str], Any]) -> str:
        """Make the calls of one step; return what went wrong, or nothing."""
        for call in calls:
            doing = f"{call['service']} {call['operation']}"
            try:
                service = make_client(call["service"], call["region"])
                getattr(service, xform_name(call["operation"]))(**call["parameters"])
            except Exception as error:
                return explain(error, doing)
        return ""

    def _mark(self, index: int, step: dict[str, Any], run: Run | None = None) -> None:
        self._write(f"SET Steps[{index}] = :step", {":step": self._text(step)}, step["step"], run)

    def _write(
        self, expression: str, values: dict[str, Any], step: str, run: Run | None = None
    ) -> None:
        """Change the item on condition that it is still the given run's (default: this one's)."""
        try:
            self.dynamodb.update_item(
                TableName=self.table,
                Key={"LockID": {"S": self.name}},
                UpdateExpression=expression,
                ConditionExpression="Holder = :holder",
                ExpressionAttributeValues={**values, ":holder": {"S": self._holder(run)}},
            )
        except Exception as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            held = self.read()
            whose = f"{held['run'].name} has it for {held['runbook']}" if held else "none is open"
            raise JournalRefused(
                f"Step {step!r} was not begun, because this run ({self.run.name}) holds no open "
                f"runbook in {self.environment}: {whose}. A runbook's tasks run between the role "
                "runbook's open and close; if its lock was taken over meanwhile, start it again."
            ) from error

    def _holder(self, run: Run | None = None) -> str:
        return json.dumps((run or self.run).as_dict(), sort_keys=True)

    @staticmethod
    def _text(step: dict[str, Any]) -> dict[str, str]:
        return {"S": json.dumps(step, default=str)}


def _say(step: dict[str, Any], error: str) -> str:
    """Return the sentence on how a step was taken back."""
    what = f"{step['step']} ({step['state']} {step['at']})"
    if not step["calls"]:
        return f"Can't be undone: {what}."
    if error:
        return f"NOT undone: {what}: {error.rstrip('.')}. Undo it by hand."
    return f"Undone: {what}."
