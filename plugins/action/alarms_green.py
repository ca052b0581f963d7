"""Action plugin: wait until alarms are green, say what is still red, and measure the recovery."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from ansible.utils.display import Display
from ansible_collections.drydock.ops.plugins.module_utils.redaction import redact
from ansible_collections.drydock.ops.plugins.module_utils.runs import moment
from ansible_collections.drydock.ops.plugins.module_utils.sessions import public
from ansible_collections.drydock.ops.plugins.modules import (
    alarm_info,
    environment_lock,
    runbook_journal,
)
from ansible_collections.drydock.ops.plugins.plugin_utils.in_process import LocalAction

display = Display()
LEASE_SECONDS = 60  # the lock is renewed this often while waiting
REPEAT_SECONDS = 30  # an unchanged state is said again this often


def epoch(iso: str) -> float:
    """Return seconds since the epoch of an ISO 8601 time."""
    return datetime.fromisoformat(iso).timestamp()


def not_green(alarms: list[dict[str, Any]], wanted: list[str]) -> list[dict[str, Any]]:
    """Return the alarms to wait for: those of `wanted` that are not OK, and any other in ALARM."""
    return [
        one
        for one in alarms
        if one["state"] == "ALARM" or (one["name"] in wanted and one["state"] != "OK")
    ]


def measure(
    opened: str, steps: list[dict[str, Any]], before: list[dict[str, Any]], after: list[dict]
) -> dict[str, Any]:
    """Return when what happened and how long it took, in seconds.

    opened: when the runbook began; steps: of the journal; before, after: the alarms then and
    now. Green is when the last of the alarms that were red changed its state, by AWS's clock.
    """
    red = {one["name"]: one for one in before if one["state"] == "ALARM"}
    green = [one["since_epoch"] for one in after if one["name"] in red and one["state"] == "OK"]
    begun = [epoch(step["at"]) for step in steps]
    ended = [epoch(step.get("done_at") or step["at"]) for step in steps]
    start = epoch(opened)
    found: dict[str, Any] = {
        "red_since": moment(min(one["since_epoch"] for one in red.values())) if red else None,
        "opened": opened,
        "first_action": moment(min(begun)) if begun else None,
        "last_action": moment(max(ended)) if ended else None,
        "green": moment(max(green)) if green else None,
    }
    if not red or len(green) < len(red):
        return found
    # An alarm may turn green while the last action still settles.
    recovery = max(0.0, max(green) - start)
    ours = min(recovery, max(0.0, max(ended) - start)) if ended else 0.0
    found.update(
        red_seconds=round(max(green) - min(one["since_epoch"] for one in red.values()), 1),
        recovery_seconds=round(recovery, 1),
        ours_seconds=round(ours, 1),
        aws_clock_seconds=round(recovery - ours, 1),
    )
    return found


class ActionModule(LocalAction):
    """See the documentation in plugins/modules/alarms_green.py."""

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _, want = self.validate_argument_spec(
            {
                "names": {"type": "list", "elements": "str", "required": True},
                "before": {"type": "list", "elements": "dict", "required": True},
                "opened": {"type": "str", "required": True},
                "timeout": {"type": "int", "required": True},
                "pause": {"type": "float", "default": 5},
                "region": {"type": "str", "required": True},
                "lock": {"type": "dict", "required": True},
                "journal": {"type": "dict", "required": True},
            }
        )
        wanted = [one["name"] for one in want["before"] if one["state"] == "ALARM"]
        begun = renewed = time.monotonic()
        said, said_at = "", begun
        while True:
            answer = self.answer(alarm_info, {"names": want["names"], "region": want["region"]})
            if answer.get("failed"):
                return {**result, **answer}
            left = not_green(answer["alarms"], wanted)
            now = time.monotonic()
            line = ", ".join(f"{one['name']} {one['state']} since {one['since']}" for one in left)
            if left and (line != said or now - said_at > REPEAT_SECONDS):
                display.display(f"  {now - begun:4.0f} s: {line}")
                said, said_at = line, now
            if not left or now - begun > want["timeout"]:
                break
            if now - renewed > LEASE_SECONDS:
                renewed = now
                kept = self.answer(environment_lock, want["lock"])
                if kept.get("failed"):
                    return {**result, **kept}
            time.sleep(want["pause"])
        if left:
            result.update(failed=True, msg=self._still_red(left, want["timeout"]))
            result["runbook_evidence"] = {"alarms_after": answer["alarms"]}
            return result
        journal = self.answer(runbook_journal, want["journal"])
        times = measure(want["opened"], journal.get("steps", []), want["before"], answer["alarms"])
        result.update(
            changed=False,
            alarms=answer["alarms"],
            recovery=times,
            runbook_evidence={
                "alarms_after": answer["alarms"],
                "times": times,
                "steps": public(journal.get("steps", [])),
                "recovery_seconds": times.get("recovery_seconds"),
            },
        )
        return result

    @staticmethod
    def _still_red(left: list[dict[str, Any]], timeout: int) -> str:
        detail = "; ".join(
            f"{one['name']} is in {one['state']} since {one['since']}"
            f" ({redact(one['reason']) or 'no reason given'})"
            for one in left
        )
        return f"Not green after {timeout} s: {detail}."
