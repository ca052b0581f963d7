"""A Terraform plan as people read it, with nothing sensitive in it.

Input is the JSON of `terraform show -json PLAN` (format 1.x, as documented under
"JSON Output Format" in Terraform's internals).
"""

from __future__ import annotations

import json
import re
from typing import Any

MASK = "(sensitive)"
UNKNOWN = "(known after apply)"
MAX_VALUE = 80
# A net below the provider's own marks, for values that a provider forgot to mark.
SECRET_NAME = re.compile(
    r"(password|passwd|secret|token|private_key|credential|auth_key)(?!.*(arn|_id|_name|rotation|enabled|version))",
    re.I,
)
REASONS = {
    "replace_because_tainted": "tainted",
    "replace_by_request": "asked for",
    "replace_by_triggers": "triggered",
}


def _marked(marks: Any, key: Any) -> Any:
    """Return the part of a sensitivity (or unknown) mark that belongs to key."""
    if marks is True:
        return True
    try:
        return marks[key]
    except (KeyError, IndexError, TypeError):
        return False


def _any_mark(marks: Any) -> bool:
    if isinstance(marks, dict):
        return any(_any_mark(part) for part in marks.values())
    if isinstance(marks, list):
        return any(_any_mark(part) for part in marks)
    return marks is True


def _render(value: Any, marks: Any, name: str) -> str:
    if value is None:
        return "null"
    # A container that hides a secret anywhere is hidden whole: a part of it may be its twin.
    if _any_mark(marks) or SECRET_NAME.search(name):
        return MASK
    text = _json(value)
    if isinstance(value, dict | list) and SECRET_NAME.search(text):
        return MASK
    if isinstance(value, str) and value[:1] in "{[" and SECRET_NAME.search(value):
        return MASK
    return text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}… ({len(text)} characters)"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _differences(
    before: Any, after: Any, marks_before: Any, marks_after: Any, unknown: Any, path: str
) -> list[str]:
    """Return `path: before → after` for each leaf that differs."""
    if unknown is True:
        return [f"{path}: {_render(before, marks_before, path)} → {UNKNOWN}"]
    hidden = marks_before is True or marks_after is True
    both = [value for value in (before, after) if value is not None]
    if not hidden and both and all(isinstance(value, dict) for value in both):
        old, new = before or {}, after or {}
        keys: list[Any] = sorted({*old, *new, *(unknown if isinstance(unknown, dict) else {})})
        steps = [(key, f"{path}.{key}" if path else str(key)) for key in keys]
        # {name: DATABASE_PASSWORD, value: …}, as containers take their variables.
        if any(SECRET_NAME.search(str(side.get("name", ""))) for side in (old, new)):
            marks_after = {"value": True}
        lookup = (dict.get, dict.get)
    elif not hidden and both and all(isinstance(value, list) for value in both):
        old, new = before or [], after or []
        count = max(len(old), len(new), len(unknown) if isinstance(unknown, list) else 0)
        steps = [(index, f"{path}[{index}]") for index in range(count)]
        lookup = (_item, _item)
    else:
        if before == after and not _any_mark(unknown):
            return []
        if _any_mark(unknown):
            return [f"{path}: {_render(before, marks_before, path)} → {UNKNOWN}"]
        # What is secret on one side is secret on the other.
        marks = marks_before is True or marks_after is True or None
        shown = [
            _render(value, marks or mark, path)
            for value, mark in ((before, marks_before), (after, marks_after))
        ]
        return [f"{path}: {shown[0]} → {shown[1]}"]
    lines: list[str] = []
    for key, step in steps:
        lines += _differences(
            lookup[0](old, key),
            lookup[1](new, key),
            _marked(marks_before, key),
            _marked(marks_after, key),
            _marked(unknown, key),
            step,
        )
    return lines


def _item(values: list[Any], index: int) -> Any:
    return values[index] if index < len(values) else None


def _path(steps: list[Any]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(
        "."
    )


def _resource(change: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Return (what is counted, lines) of one entry of `resource_changes`."""
    detail = change["change"]
    actions = detail["actions"]
    address = change["address"]
    if change.get("deposed"):
        address += f" (deposed object {change['deposed']})"
    counted, notes = [], []
    previous = change.get("previous_address")
    if previous and previous != change["address"]:
        counted.append("move")
        notes.append(f"moved from {previous}")
    if detail.get("importing"):
        counted.append("import")
        notes.append(f"imported from {detail['importing'].get('id', 'an identity')}")
    symbol = {
        ("create",): "+",
        ("update",): "~",
        ("delete",): "-",
        ("delete", "create"): "-/+",
        ("create", "delete"): "+/-",
        ("forget",): ".",
        ("create", "forget"): "+/.",
    }.get(tuple(actions))
    attributes: list[str] = []
    if "update" in actions or ("create" in actions and len(actions) == 2):
        attributes = _differences(
            detail.get("before"),
            detail.get("after"),
            detail.get("before_sensitive"),
            detail.get("after_sensitive"),
            detail.get("after_unknown"),
            "",
        )
    if len(actions) == 2 and "create" in actions:
        counted.append("replace" if "delete" in actions else "forget")
        order = {
            "-/+": "destroy, then create",
            "+/-": "create, then destroy",
            "+/.": "create, forget the old one",
        }[symbol or "-/+"]
        why = REASONS.get(change.get("action_reason", ""), "")
        paths = ", ".join(_path(steps) for steps in detail.get("replace_paths", []))
        notes.insert(
            0,
            f"replace: {order}{', ' + why if why else ''}{', forced by ' + paths if paths else ''}",
        )
        # What is merely unknown again in the new one says nothing about why.
        forced = tuple(_path(steps) for steps in detail.get("replace_paths", []))
        attributes = [
            line
            for line in attributes
            if not line.endswith(UNKNOWN) or line.startswith(forced or "\0")
        ]
    elif symbol:
        counted.append({"+": "add", "~": "change", "-": "destroy", ".": "forget"}[symbol])
        if symbol == ".":
            notes.insert(0, "forgotten by Terraform, not destroyed")
    if not counted:
        return [], []
    head = f"{symbol or '='} {address}"
    if notes:
        head += f" ({'; '.join(notes)})"
    return counted, [head, *(f"    {line}" for line in attributes)]


def _output(name: str, change: dict[str, Any]) -> list[str]:
    actions = change["actions"]
    if actions == ["no-op"]:
        return []
    symbol = {"create": "+", "delete": "-"}.get(actions[0], "~") if len(actions) == 1 else "~"
    if change.get("before_sensitive") or change.get("after_sensitive"):
        return [f"{symbol} output {name}: {MASK}"]
    if symbol in "+-":
        return [f"{symbol} output {name}"]
    lines = _differences(
        change.get("before"),
        change.get("after"),
        change.get("before_sensitive"),
        change.get("after_sensitive"),
        change.get("after_unknown"),
        name,
    )
    return [f"{symbol} output {line}" for line in lines] or [f"{symbol} output {name}"]


def summarise(plan: dict[str, Any]) -> dict[str, Any]:
    """Return {counts, sentence, lines} of a plan.

    counts: add, change, destroy, replace, import, move, forget, outputs. sentence: the counts
    in words. lines: one for each resource and output, with the attributes that change indented
    below; sensitive values are masked.
    """
    counts = dict.fromkeys(
        ("add", "change", "destroy", "replace", "import", "move", "forget", "outputs"), 0
    )
    lines: list[str] = []
    for change in plan.get("resource_changes", []):
        if change.get("mode") == "data":
            continue
        counted, shown = _resource(change)
        for kind in counted:
            counts[kind] += 1
        lines += shown
    for name, change in sorted(plan.get("output_changes", {}).items()):
        shown = _output(name, change)
        counts["outputs"] += bool(shown)
        lines += shown
    return {"counts": counts, "sentence": sentence(counts), "lines": lines}


def sentence(counts: dict[str, int]) -> str:
    """Return the counts in words: what is always of interest, and the rest where there is any."""
    words = [
        f"{counts['add']} to add",
        f"{counts['change']} to change",
        f"{counts['destroy']} to destroy",
    ]
    rare = {
        "replace": "to replace",
        "import": "to import",
        "move": "to move",
        "forget": "to forget",
        "outputs": "outputs to change",
    }
    words += [f"{counts[kind]} {text}" for kind, text in rare.items() if counts[kind]]
    return ", ".join(words)
