"""Plans of several stacks as one Markdown text for a pull request, the risky ones first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LIMIT = 60_000  # characters; a comment on GitHub holds 65,536
ORDER = ("-/+", "+/-", "+/.", "-", ".", "~", "=", "+")
# What makes a `diff` block red, green or neither.
SIGNS = {"-/+": "-", "+/-": "-", "+/.": "-", ".": "-", "~": "!", "=": "!"}


def _blocks(lines: list[str]) -> list[list[str]]:
    """Return lines by resource: each with the attributes indented below it."""
    found: list[list[str]] = []
    for line in lines:
        if line.startswith(" ") and found:
            found[-1].append(line)
        else:
            found.append([line])
    return found


def _sign(block: list[str]) -> str:
    return block[0].split(" ", 1)[0]


def _rank(block: list[str]) -> tuple[bool, int]:
    sign = _sign(block)
    return " output " in block[0][:10], ORDER.index(sign) if sign in ORDER else len(ORDER)


def ordered(lines: list[str]) -> list[str]:
    """Return the lines of a plan with what destroys first and what adds last."""
    found = []
    for block in sorted(_blocks(lines), key=_rank):
        sign = _sign(block)
        head = f"{SIGNS[sign]} {block[0]}" if sign in SIGNS else block[0]
        found += [head, *block[1:]]
    return found


def risk(plan: Mapping[str, Any]) -> tuple[int, ...]:
    """Return what plans are ordered by, the riskiest lowest."""
    counts = plan.get("counts") or {}
    return (
        -bool(plan.get("error")),
        -len(plan.get("refusals") or []),
        -len(plan.get("losses") or []),
        -(counts.get("destroy", 0) + counts.get("replace", 0) + counts.get("forget", 0)),
        -counts.get("change", 0),
        -counts.get("add", 0),
    )


def _verdict(plan: Mapping[str, Any]) -> str:
    if plan.get("error"):
        return "**can't be planned**"
    if plan.get("refusals"):
        return f"**refused** ({len(plan['refusals'])})"
    if plan.get("missing"):
        return f"waits for {', '.join(plan['missing'])}"
    if plan.get("losses"):
        return f"allowed to take away {len(plan['losses'])}"
    return "passes" if plan.get("sentence") else "no changes"


def _cell(text: Any) -> str:
    return " ".join(str(text).replace("|", "\\|").split())


def _section(plan: Mapping[str, Any]) -> str:
    stack = plan["stack"]
    text = [f"### {stack}: {_verdict(plan)}", ""]
    if plan.get("error"):
        text += [_fenced(str(plan["error"]), "text"), ""]
    text += [f"- :no_entry: {_cell(one)}" for one in plan.get("refusals") or []]
    refused = " ".join(plan.get("refusals") or [])
    text += [
        f"- :warning: `{one['address']}`: {_cell(one['what'])}"
        for one in plan.get("losses") or []
        if one["address"] not in refused
    ]
    lines = ordered(list(plan.get("lines") or []))
    if lines:
        text += ["", "<details><summary>" + plan["sentence"] + "</summary>", ""]
        text += [_fenced("\n".join(lines), "diff"), "", "</details>"]
    return "\n".join([*text, ""])


def _fenced(text: str, kind: str) -> str:
    """Return text as a code block that nothing in it can end."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{kind}\n{text}\n{fence}"


def markdown(plans: list[Mapping[str, Any]], environment: str, revision: str = "") -> str:
    """Return the Markdown of an environment's plans.

    Each plan has `stack` and what terraform_plan returned of it (sentence, counts, lines,
    refusals, losses, cost), or `error`, or `missing`: stacks that have to be provisioned before.
    """
    plans = sorted(plans, key=lambda one: (risk(one), one["stack"]))
    changed = [one for one in plans if one.get("sentence") or one.get("error")]
    refused = [one["stack"] for one in plans if one.get("refusals") or one.get("error")]
    head = f"## Plan of {environment}" + (f" at {revision}" if revision else "")
    verdict = (
        f"**Refused:** {', '.join(refused)} can't be applied as planned."
        if refused
        else "Passes the gate." if changed else "Nothing would change."
    )  # fmt: skip
    table = [
        "| stack | verdict | add | change | destroy | replace | cost |",
        "|---|---|--:|--:|--:|--:|---|",
    ]
    for one in plans:
        counts = one.get("counts") or {}
        numbers = [str(counts.get(name, 0)) for name in ("add", "change", "destroy", "replace")]
        table.append(
            f"| {one['stack']} | {_verdict(one)} | {' | '.join(numbers)} | "
            f"{_cell(one.get('cost') or '')} |"
        )
    text = "\n".join([head, "", verdict, "", *table, ""]) + "\n"
    for one in changed:
        section = _section(one)
        if len(text) + len(section) > LIMIT:
            text += (
                f"### {one['stack']}: {_verdict(one)}\n\nToo long to be shown here: see the run.\n"
            )
        else:
            text += section + "\n"
    return text
