"""A runbook as the evidence keeps it, and its end where its own tasks could not come to theirs."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from ansible_collections.drydock.ops.plugins.module_utils import curves, notices
from ansible_collections.drydock.ops.plugins.module_utils.aws import client, explain
from ansible_collections.drydock.ops.plugins.module_utils.journal import Journal
from ansible_collections.drydock.ops.plugins.module_utils.locks import EnvironmentLock
from ansible_collections.drydock.ops.plugins.module_utils.redaction import redact_all
from ansible_collections.drydock.ops.plugins.module_utils.runs import Run, moment


def merge(into: dict[str, Any], news: dict[str, Any]) -> None:
    """Add what a task returned as `runbook_evidence`.

    Lists grow, dictionaries merge, other values replace.
    """
    for key, value in redact_all(news).items():
        old = into.get(key)
        if isinstance(old, list) and isinstance(value, list):
            old.extend(value)
        elif isinstance(old, dict) and isinstance(value, dict):
            merge(old, value)
        else:
            into[key] = value


def public(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the journal's steps as the evidence keeps them: without the calls that undo them."""
    return [
        {key: step[key] for key in ("step", "state", "at", "done_at") if key in step}
        for step in steps
    ]


def is_open(record: dict[str, Any]) -> bool:
    """Return whether a runbook holds lock and journal, and has not come to its close."""
    return bool(record.get("locked")) and not record.get("closed")


def has_ended(record: dict[str, Any]) -> bool:
    """Return whether a runbook came to its close, or had nothing to do."""
    return bool(record.get("closed")) or record.get("proceed") is False


def end(record: dict[str, Any], outcome: str, reason: str, webhook: str = "") -> list[str]:
    """End an open runbook in place of its own tasks: undo, curves, notice, lock given back.

    Changes the record. Returns sentences for the person at the terminal. Never raises: each part
    is done whatever became of the others. The caller sees to it that no task of the run is still
    at work, and that AWS's variables are those of the run.
    """
    said: list[str] = []
    region, table, environment = record["region"], record["table"], record["environment"]
    run = Run.current()
    try:
        dynamodb = client("dynamodb", region)
        journal = Journal(dynamodb, table, environment, run)
        held = journal.read()
        if held and held["run"] == run:
            undone = journal.undo()
            merge(record, {"undone": undone, "steps": public(held["steps"])})
            said += [one["text"] for one in undone] or ["Nothing had been begun."]
            if not any(step["calls"] for step in journal.unfinished()):
                journal.clear()
    except Exception as error:
        said.append(explain(error, f"The steps of {record['name']} were not undone"))
    merge(record, {"outcome": outcome, "reason": reason, "closed": moment()})
    try:
        merge(record, {"metrics": _curves(record)})
    except Exception as error:
        said.append(explain(error, "Curves of the alarms' metrics, for the report"))
    _sent, problems = notices.send(
        f"Runbook {record['name']} closed in {environment}: {outcome}",
        [
            f"account {record['account']}, host {record['host']}, by {record['caller']}",
            reason,
            *said,
        ],
        record.get("topic", ""),
        webhook,
        region,
    )
    said += problems
    try:
        lock = EnvironmentLock((client("dynamodb", region), table), environment, run, "")
        said.append(
            f"The lock of {environment} was "
            + ("given back." if lock.release() else "not this run's any more.")
        )
    except Exception as error:
        said.append(explain(error, f"The lock of {environment} was not given back"))
    return said


def _curves(record: dict[str, Any]) -> list[dict[str, Any]]:
    alarms = record["alarms_before"]
    red = [one["since_epoch"] for one in alarms if one["state"] == "ALARM"]
    start = min(red) if red else datetime.fromisoformat(record["opened"]).timestamp()
    return curves.read(
        client("cloudwatch", record["region"]),
        [one["name"] for one in alarms],
        start - 10 * record["period"],
        time.time(),
        record["period"],
    )
