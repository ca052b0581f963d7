"""Filters that put alarms, decisions and recovery times into lines for people."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: runbooks
short_description: Lines for people about a runbook
description: See C(alarm_lines), C(decision_lines) and C(recovery_lines).
"""


def alarm_lines(answer: dict[str, Any]) -> list[str]:
    """Return one line per alarm of an answer of alarm_info, the red ones first."""
    order = {"ALARM": 0, "INSUFFICIENT_DATA": 1}
    alarms = sorted(answer["alarms"], key=lambda one: (order.get(one["state"], 2), one["name"]))
    words = {
        "ALARM": "RED",
        "INSUFFICIENT_DATA": "NO DATA (that is not green)",
        "OK": "green",
    }
    return [
        f"alarm       {one['name']}: {words.get(one['state'], one['state'])} since {one['since']}"
        + (f": {one['reason']}" if one["state"] != "OK" and one["reason"] else "")
        for one in alarms
    ] + [f"alarm       {name}: there is none" for name in answer["missing"]]


def decision_lines(decision: dict[str, Any]) -> list[str]:
    """Return a runbook's decision in lines; refuses one that says too little."""
    for key, kind in (("cause", str), ("action", str), ("because", list), ("plan", list),
                      ("undo", list)):  # fmt: skip
        if not isinstance(decision.get(key), kind):
            raise AnsibleFilterError(
                f"The runbook's decision has no {key} ({'text' if kind is str else 'a list'}): "
                "see roles/runbook/README.md."
            )
    lines = [f"cause       {decision['cause']}"]
    for title, key in (("because", "because"), ("will do", "plan"), ("undo", "undo")):
        for number, text in enumerate(decision.get(key) or ["nothing"]):
            lines.append(f"{title if not number else '':<11} {text}")
    if decision.get("to"):
        lines.append(f"hand over   {decision['to']}")
    return lines


def recovery_lines(times: dict[str, Any]) -> list[str]:
    """Return what was measured of a recovery, in lines."""
    if times.get("recovery_seconds") is None:
        return ["green       (nothing was red)"]
    return [
        f"green       {times['green']}, {times['recovery_seconds']} s after the runbook was opened "
        f"(red for {times['red_seconds']} s in all)",
        f"of that     {times['ours_seconds']} s ours (opened to last action), "
        f"{times['aws_clock_seconds']} s waiting for the alarm's own clock",
    ]


class FilterModule:
    """Filters by name."""

    def filters(self) -> dict[str, Any]:
        return {
            "alarm_lines": alarm_lines,
            "decision_lines": decision_lines,
            "recovery_lines": recovery_lines,
        }
