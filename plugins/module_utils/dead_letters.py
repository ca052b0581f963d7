"""What lies among the dead letters, and whether it may be redriven. Without I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# What apps/consumer says of an event whose type it isn't told to apply.
UNKNOWN_TYPE = re.compile(r"^unknown type '([^']*)'")
SHOWN = 10  # reasons


@dataclass(frozen=True)
class Reason:
    """Events that were refused for one reason and not redriven since.

    Attributes:
        newest: seconds since the last of them was refused.
        recent: how many of them were refused while the running release was there alone, within
            the last periods.
    """

    text: str
    count: int
    newest: float = 0
    recent: int = 0

    @property
    def short(self) -> str:
        return self.text if len(self.text) <= 160 else f"{self.text[:160]}…"


@dataclass(frozen=True)
class Letters:
    """What was seen.

    Attributes:
        waiting: letters that can be received. held: letters that a receiver has right now.
        types: that the running release applies; empty where it doesn't say.
        running: tasks of the consumer. rolling: whether a release is taking over.
    """

    waiting: int
    held: int
    reasons: Sequence[Reason]
    types: frozenset[str] = frozenset()
    running: int = 1
    rolling: bool = False
    revision: str = ""


def unmended(seen: Letters) -> list[str]:
    """Return, of the reasons, those that the running release is known to have still, and why."""
    found = []
    for one in seen.reasons:
        named = UNKNOWN_TYPE.match(one.text)
        if named and seen.types and named[1] not in seen.types:
            types = ", ".join(sorted(seen.types))
            found.append(f"{seen.revision} does not apply {named[1]!r} (EVENT_TYPES is {types})")
        elif one.recent:
            found.append(
                f"{seen.revision} refused {one.recent} for it of late, the last "
                f"{one.newest:.0f} s ago: {one.short}"
            )
    return found


def sentences(seen: Letters) -> list[str]:
    """Return the letters as people read them, the most frequent reason first."""
    said = [f"{seen.waiting} letters wait, {seen.held} are being looked at"]
    known = sorted(seen.reasons, key=lambda one: (-one.count, one.text))
    said += [f"{one.count}x {one.short} (the last {one.newest:.0f} s ago)" for one in known[:SHOWN]]
    if len(known) > SHOWN:
        said.append(f"and {len(known) - SHOWN} reasons more")
    return said


def decide(seen: Letters, most: int, command: str, workload: str) -> dict[str, Any]:
    """Return cause, action (none, redrive, hand_over), because, plan, undo, to.

    most: letters that one run may redrive. command: how playbooks are started here, up to the file.
    """
    because = sentences(seen)
    if not seen.waiting and not seen.held:
        return _made("no letter waits", "none", because)
    if seen.rolling:
        return _hand_over("a release is taking over", because, "wait for it, then start this again")
    if not seen.running:
        to = f"{command} runbooks/ecs-tasks-flapping.yml -e workload={workload}"
        return _hand_over("no task of the consumer runs", because, to)
    if still := unmended(seen):
        to = (
            "mend what refuses them (its code, EVENT_TYPES, the events' maker), release it with "
            f"{command} playbooks/deploy.yml --limit {workload}, then start this again"
        )
        cause = "the cause is not mended: " + "; ".join(still[:3])
        return _hand_over(cause, because, to)
    if seen.waiting > most:
        cause = f"{seen.waiting} letters are more than max_letters={most} of one run"
        to = f"see the reasons, then start this again with -e max_letters={seen.waiting}"
        return _hand_over(cause, because, to)
    kinds = len(seen.reasons) or 1
    return _made(
        "letters wait whose cause may be mended",
        "redrive",
        because,
        plan=[
            f"try one letter of each reason ({kinds}) with {seen.revision}; if one is refused "
            "again, end there",
            f"redrive the others, at most {most}; end with the first that is refused",
        ],
        undo=["can't be undone and need not be: an event has its effect once"],
    )


def _hand_over(cause: str, because: list[str], to: str) -> dict[str, Any]:
    return _made(cause, "hand_over", because, to=to)


def _made(cause: str, action: str, because: list[str], **more: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {"plan": [], "undo": [], "to": ""}
    return {"cause": cause, "action": action, "because": because, **empty, **more}
