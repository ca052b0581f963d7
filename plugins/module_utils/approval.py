"""What binds an apply to the changes that somebody approved, on another machine or another day."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any

HINT = 8  # hexadecimal digits of a stack's digest that an approval shows


def _marked(marks: Any) -> bool:
    if isinstance(marks, dict):
        return any(_marked(part) for part in marks.values())
    if isinstance(marks, list):
        return any(_marked(part) for part in marks)
    return marks is True


def _values(detail: Mapping[str, Any], made: bool) -> dict[str, Any]:
    """Return {attribute: [before, after, unknown]} of what is made, else of what differs."""
    before, after, unknown = (detail.get(one) for one in ("before", "after", "after_unknown"))
    if not all(isinstance(one, dict | None) for one in (before, after)):
        return {"": [None if made else before, after, unknown]}
    before, after = before or {}, after or {}
    unknown = unknown if isinstance(unknown, dict) else {}
    return {
        name: [None if made else before.get(name), after.get(name), unknown.get(name)]
        for name in {*before, *after, *unknown}
        if made or before.get(name) != after.get(name) or _marked(unknown.get(name))
    }


def _resource(change: Mapping[str, Any]) -> dict[str, Any] | None:
    detail = change["change"]
    actions = list(detail["actions"])
    moved = change.get("previous_address") not in (None, change["address"])
    if actions == ["no-op"] and not moved and not detail.get("importing"):
        return None
    made = "create" in actions or "read" in actions
    before = detail.get("before")
    return {
        "address": change["address"],
        "moved from": change.get("previous_address") if moved else None,
        "deposed": change.get("deposed"),
        "imported": detail.get("importing"),
        "actions": actions,
        # Of what goes, which one it is; its other attributes may be measurements, such as the time
        # to which a database could be restored.
        "id": before.get("id") if isinstance(before, dict) else None,
        "values": _values(detail, made) if made or "update" in actions else {},
    }


def changes(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a plan (JSON of `terraform show -json`) changes, the same on another day.

    Holds values in the clear: for digest() alone.
    """
    resources = [_resource(change) for change in plan.get("resource_changes", [])]
    return {
        "resources": sorted(filter(None, resources), key=_text),
        "outputs": {
            name: [change["actions"], _values(change, "create" in change["actions"])]
            for name, change in plan.get("output_changes", {}).items()
            if change["actions"] != ["no-op"]
        },
    }


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def digest(plan: Mapping[str, Any], key: str = "") -> str:
    """Return the SHA-256 (64 hexadecimal digits) of what a plan changes, sensitive values included.

    key: what only readers of the state know (its lineage), so that a digest in a comment is
    nothing to try passwords on.
    """
    return hmac.new(key.encode(), _text(changes(plan)).encode(), hashlib.sha256).hexdigest()


def problem(plans: Sequence[Mapping[str, Any]]) -> str:
    """Return why plans cannot be approved, as a sentence; nothing where they can.

    Each has `stack`, and `changes` (its digest) where it changes anything, `missing` (stacks to be
    provisioned before), `refusals` or `error`.
    """
    bad = sorted(one["stack"] for one in plans if one.get("error") or one.get("refusals"))
    if bad:
        return f"{' and '.join(bad)} can't be applied as planned: mend that and plan again."
    waiting = [
        f"{one['stack']} waits for {' and '.join(one['missing'])}"
        for one in sorted(plans, key=lambda one: one["stack"])
        if one.get("missing")
    ]
    if waiting:
        return (
            f"{', '.join(waiting)}: what can't be planned yet is covered by no approval. Plan, "
            "approve and apply wave by wave, with --limit for the stacks that can be planned."
        )
    return ""


def approval(plans: Sequence[Mapping[str, Any]], environment: str) -> str:
    """Return what approves plans: a SHA-256, and of each stack that changes how its digest begins.

    Nothing where nothing would change or where problem() has something to say.
    """
    changed = {one["stack"]: one["changes"] for one in plans if one.get("changes")}
    if problem(plans) or not changed:
        return ""
    whole = {one["stack"]: changed.get(one["stack"], "") for one in plans}
    sealed = hashlib.sha256(_text([environment, whole]).encode()).hexdigest()
    return ".".join([sealed, *(f"{name}-{changed[name][:HINT]}" for name in sorted(changed))])


def refusal(approved: str, plans: Sequence[Mapping[str, Any]], environment: str) -> str:
    """Return why what was approved is not what plans would do now; nothing where it is."""
    head = f"Nothing of {environment} was applied:"
    again = "Look at the new plan (playbooks/plan.yml with the same --limit) and approve that one."
    if problem(plans):
        return f"{head} {problem(plans)}"
    now = approval(plans, environment)
    seal, *hints = approved.strip().split(".")
    if seal == now.split(".")[0] and seal:
        return ""
    if not now:
        return f"{head} nothing would change any more. Nothing is left to be approved."
    then = dict(hint.rsplit("-", 1) for hint in hints if "-" in hint)
    here = dict(hint.rsplit("-", 1) for hint in now.split(".")[1:])
    differ = sorted(name for name in {*then, *here} if then.get(name) != here.get(name))
    if not hints:
        why = f"the changes of {' and '.join(sorted(here))} are not those that were approved."
    elif differ:
        told = {True: "would change otherwise", False: "would change and did not"}
        why = "; ".join(
            f"{name} {told[name in then] if name in here else 'would not change any more'}"
            for name in differ
        )
        why = f"it is not what was approved: {why}."
    else:
        why = "another environment or another set of stacks was approved."
    return f"{head} {why} {again}"


def note(plans: Sequence[Mapping[str, Any]], environment: str) -> str:
    """Return what a report says of its approval, as Markdown."""
    given = approval(plans, environment)
    if given:
        return (
            f"**Approval:** `{given}`\n\n"
            "`playbooks/provision.yml -e approved_plan=…` applies these changes and no others.\n"
        )
    return f"**No approval:** {problem(plans) or 'provision.yml would change nothing.'}\n"
