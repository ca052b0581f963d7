"""CloudWatch alarms as people ask for them: by name or pattern, with state, time and reason."""

from __future__ import annotations

import fnmatch
import re
from typing import Any

from ansible_collections.drydock.ops.plugins.module_utils.runs import moment

WILD = re.compile(r"[*?\[]")


def describe(cloudwatch: Any, names: list[str]) -> list[dict[str, Any]]:
    """Return CloudWatch's own descriptions of the alarms with these names or patterns."""
    found: dict[str, dict[str, Any]] = {}
    pages = cloudwatch.get_paginator("describe_alarms")
    exact = [name for name in names if not WILD.search(name)]
    asked: list[dict[str, Any]] = [
        {"AlarmNames": exact[start : start + 100]} for start in range(0, len(exact), 100)
    ]
    for name in names:
        if wild := WILD.search(name):
            prefix = name[: wild.start()]
            asked.append({"AlarmNamePrefix": prefix} if prefix else {})
    for one in asked:
        for page in pages.paginate(**one, AlarmTypes=["MetricAlarm", "CompositeAlarm"]):
            for alarm in page.get("MetricAlarms", []) + page.get("CompositeAlarms", []):
                found[alarm["AlarmName"]] = alarm
    return [
        found[name]
        for name in sorted(found)
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in names)
    ]


def summary(alarm: dict[str, Any]) -> dict[str, Any]:
    """Return what people ask of an alarm."""
    # When the state last changed; the other time also moves with every new reason.
    since = alarm.get("StateTransitionedTimestamp") or alarm["StateUpdatedTimestamp"]
    return {
        "name": alarm["AlarmName"],
        "kind": "composite" if "AlarmRule" in alarm else "metric",
        "state": alarm["StateValue"],
        "since": moment(since.timestamp()),
        "since_epoch": since.timestamp(),
        "reason": alarm.get("StateReason", ""),
        "description": alarm.get("AlarmDescription", ""),
    }
