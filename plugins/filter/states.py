"""Filters over what a plan would do to a state, and the report of drift."""

from __future__ import annotations

import re
from typing import Any

DOCUMENTATION = r"""
name: states
short_description: Filters for operations on states
description: See C(beyond_operation) and C(drift_report).
"""


def beyond_operation(lines: list[str], target: str) -> list[str]:
    """Return what a plan would do besides moving or importing `target`.

    lines: as terraform_plan returns them. The object itself may be changed in place (it gets the
    tags that all have), and outputs may follow.
    """
    allowed = re.compile(rf"^([=~] {re.escape(target)}([\s.\[]|$)|[-+~] output )")
    return [line for line in lines if not line.startswith(" ") and not allowed.match(line)]


def drift_report(results: list[dict[str, Any]], environment: str, when: str) -> str:
    """Return the drift of an environment's stacks as Markdown, the worst first.

    results: what terraform_drift returned of each stack; one with `msg` could not be planned.
    """

    def rank(one: dict[str, Any]) -> tuple[int, str]:
        order = ("msg", "gone", "drift", "pending")
        return next((i for i, key in enumerate(order) if one.get(key)), len(order)), one["stack"]

    lines = [
        f"# Drift of {environment}, {when}",
        "",
        "| stack | gone | changed | an apply would do |",
        "|---|---|---|---|",
    ]
    ordered = sorted(results, key=rank)
    for one in ordered:
        if one.get("msg"):
            lines.append(f"| {one['stack']} | ? | ? | could not be planned |")
            continue
        changed = [line for line in one["drift"] if not line.startswith(" ")]
        lines.append(
            f"| {one['stack']} | {len(one['gone'])} | {len(changed)} | {one['sentence']} |"
        )
    for one in ordered:
        parts = [
            ("could not be planned", [one["msg"]] if one.get("msg") else []),
            ("deleted past Terraform", one.get("gone")),
            ("changed past Terraform", one.get("drift")),
            ("an apply would do", one.get("pending")),
            ("differs from the state, and an apply leaves it", one.get("noted")),
        ]
        for title, shown in parts:
            if shown:
                lines += ["", f"## {one['stack']}: {title}", "", "```", *shown, "```"]
    if all(rank(one)[0] == 4 for one in results):
        lines += ["", "What is there is what the configuration asks for."]
    return "\n".join(lines) + "\n"


class FilterModule:
    """Filters by name."""

    def filters(self) -> dict[str, Any]:
        return {"beyond_operation": beyond_operation, "drift_report": drift_report}
