"""What sleep and wake agree on: tags, times, and the note that says that an environment sleeps.

The tag `auto-stopped` holds what there was, and is written before it is taken away, so a run that
was killed anywhere can be woken from. It is the same tag as that of the automation `power`
(terraform/stacks/operations/power.py), and of the same grammar:

    a service      3            tasks, or 3 in/out/scheduled: with what had been suspended before
    a fleet        0/3/1        min, max and desired size of the Auto Scaling group
    a database     an identifier of the night's snapshot (the automation writes: database)

The note lies in the lock table as `<environment>/sleep`: until when somebody keeps the
environment awake, since when it sleeps, and whether it is on its way down (`sleep`) or up (`wake`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

TAG = "auto-stopped"
AWAKE_TAG = "keep-awake-until"
SUSPENSIONS = {
    "in": "DynamicScalingInSuspended",
    "out": "DynamicScalingOutSuspended",
    "scheduled": "ScheduledScalingSuspended",
}
NOTHING = "Nothing was changed."
_INTENDED = re.compile(r"([01]\d|2[0-3]):([0-5]\d) (\S+)")


class Refused(Exception):
    """It must not be, or can't be; the text says why and what to do."""


@dataclass
class Outcome:
    """What one look at a step did and found, as sentences.

    Attributes:
        done: changes made, or in check mode due.
        waiting: what isn't there yet; while there is any, the step is to be tried again.
        kept: what stays up, and why.
        warnings: what somebody should know.
    """

    done: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def tags_of(pairs: list[dict[str, str]] | None) -> dict[str, str]:
    """Return tags as a dictionary: ECS writes key and value in small letters, others don't."""
    return {
        pair.get("key", pair.get("Key", "")): pair.get("value", pair.get("Value", ""))
        for pair in pairs or []
    }


def service_note(count: int, suspended: dict[str, bool]) -> str:
    """Return the tag's value for a service; suspended: what was, before the night."""
    held = "/".join(word for word, key in SUSPENSIONS.items() if suspended.get(key))
    return f"{count} {held}".strip()


def read_service_note(value: str) -> tuple[int, dict[str, bool]]:
    """Return tasks and SuspendedState from the tag of a service. Raises Refused."""
    found = re.fullmatch(r"(\d+)(?: ([a-z/]+))?", value)
    held = (found[2] or "").split("/") if found else []
    if not found or set(held) - {"", *SUSPENSIONS}:
        raise Refused(
            f'the tag {TAG} is "{value}", which is no number of tasks: write it as 3 or as '
            "3 in/out/scheduled"
        )
    return int(found[1]), {key: word in held for word, key in SUSPENSIONS.items()}


def read_fleet_note(value: str) -> tuple[int, int, int]:
    """Return min, max and desired size from the tag of a fleet. Raises Refused."""
    found = re.fullmatch(r"(\d+)/(\d+)/(\d+)", value)
    if not found:
        raise Refused(
            f'the tag {TAG} is "{value}", which is no size of a fleet: write min/max/desired, as '
            "0/3/1"
        )
    return int(found[1]), int(found[2]), int(found[3])


def moment(text: str, what: str) -> datetime:
    """Return a time with its offset, in UTC. Raises Refused, which names what it was for."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise Refused(
            f'{what} is "{text}", which is no time with an offset: write it as '
            f"2026-11-22T22:00+01:00. {NOTHING}"
        )
    return found.astimezone(UTC)


def awake_until(tags: dict[str, str], name: str, now: datetime) -> datetime | None:
    """Return until when a tag keeps something awake; None without one, or when it is over.

    Raises Refused where it can't be read: to let it sleep could be what somebody wanted to prevent.
    """
    if AWAKE_TAG not in tags:
        return None
    until = moment(tags[AWAKE_TAG], f"The tag {AWAKE_TAG} of {name}")
    return until if until > now else None


def shown(when: datetime) -> str:
    """Return a time as people read it, in UTC to the minute."""
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def lateness(intended: str, now: datetime) -> tuple[timedelta, datetime]:
    """Return how long ago a wall clock last showed a time, and that moment.

    intended: as `18:00 Europe/Berlin`. A time that clocks skip counts as the one after the gap; of
    one that comes twice the first counts. Raises Refused.
    """
    found = _INTENDED.fullmatch(intended)
    try:
        zone = ZoneInfo(found[3]) if found else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zone = None
    if found is None or zone is None:
        raise Refused(
            f'intended is "{intended}", which is no local time: write it as 18:00 Europe/Berlin. '
            f"{NOTHING}"
        )
    here = now.astimezone(zone)
    day = here.date()
    while True:
        wall = datetime(day.year, day.month, day.day, int(found[1]), int(found[2]), tzinfo=zone)
        if wall.astimezone(UTC) <= now.astimezone(UTC):
            return now.astimezone(UTC) - wall.astimezone(UTC), wall
        day -= timedelta(days=1)


def refuse_late(intended: str, window: int, now: datetime, what: str) -> None:
    """Raise Refused where a start comes more than `window` minutes after it was meant for."""
    late, meant = lateness(intended, now)
    if late > timedelta(minutes=window):
        here = now.astimezone(meant.tzinfo)
        day = {0: "today", 1: "yesterday"}.get((here.date() - meant.date()).days, f"{meant:%F}")
        raise Refused(
            f"It is {here:%H:%M}; this {what} was for {meant:%H:%M} {day} ({intended.split()[1]}), "
            f"and {window} minutes later is too late for it. Start it by hand, without intended, "
            "if "
            f"it is still wanted. {NOTHING}"
        )


class Note:
    """The note on an environment's night in the lock table."""

    def __init__(self, dynamodb: Any, table: str, environment: str) -> None:
        self.dynamodb, self.table = dynamodb, table
        self.key = {"LockID": {"S": f"{environment}/sleep"}}

    def read(self) -> dict[str, str]:
        """Return state (sleep or wake), since, asleep and keep_awake_until, where they are."""
        item = self.dynamodb.get_item(TableName=self.table, Key=self.key, ConsistentRead=True)
        found = item.get("Item", {})
        return {key: value["S"] for key, value in found.items() if key != "LockID"}

    def write(self, note: dict[str, str]) -> None:
        """Replace the note; an empty one is taken away."""
        if note:
            item = {**self.key, **{key: {"S": value} for key, value in note.items()}}
            self.dynamodb.put_item(TableName=self.table, Item=item)
        else:
            self.dynamodb.delete_item(TableName=self.table, Key=self.key)
