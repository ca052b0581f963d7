"""Schedules: one RRULE, as AWX takes it, and the same as systemd's OnCalendar.

Text: ``DTSTART;TZID=<zone>:<YYYYMMDDTHHMMSS> RRULE:FREQ=…;INTERVAL=1;…``. Times are wall clocks
of the zone, so they stay where they are when clocks change. What AWX or OnCalendar can't express is
refused.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil.rrule import rrulestr

DAYS = {"MO": "Mon", "TU": "Tue", "WE": "Wed", "TH": "Thu", "FR": "Fri", "SA": "Sat", "SU": "Sun"}
# Parts of a rule besides FREQ and INTERVAL, by frequency.
PARTS = {
    "DAILY": {"BYDAY", "BYHOUR", "BYMINUTE"},
    "WEEKLY": {"BYDAY", "BYHOUR", "BYMINUTE"},
    "MONTHLY": {"BYMONTHDAY", "BYHOUR", "BYMINUTE"},
}
_TEXT = re.compile(r"DTSTART;TZID=(\S+?):(\d{8}T\d{6}) RRULE:(\S+)")
# Years of clock changes that a schedule is held against.
YEARS_AHEAD = 5


class BadSchedule(ValueError):
    """A rule that can't be; the text says what is wrong and what to write instead."""


@dataclass(frozen=True)
class Rule:
    """A schedule's rule; ``start`` is a wall clock of ``zone``, without time zone."""

    text: str
    start: datetime
    zone: str
    frequency: str
    parts: dict[str, list[str]]


def parse(text: str) -> Rule:
    """Reads a rule.

    Raises:
        BadSchedule: AWX or OnCalendar can't express it, or a change of clocks would skip it or
            do it twice.
    """
    found = _TEXT.fullmatch(text)
    if not found:
        raise BadSchedule(
            f"{text} is not DTSTART;TZID=Area/City:YYYYMMDDTHHMMSS RRULE:FREQ=…;INTERVAL=1"
        )
    zone, start, rule = found.groups()
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadSchedule(f"{zone} is no time zone: name one as America/New_York") from None
    parts = dict(one.partition("=")[::2] for one in rule.split(";"))
    frequency, interval = parts.pop("FREQ", ""), parts.pop("INTERVAL", None)
    if frequency not in PARTS:
        raise BadSchedule(f"FREQ={frequency} is none of {', '.join(PARTS)}")
    if interval != "1":
        raise BadSchedule(
            f"INTERVAL={interval}: AWX wants one and OnCalendar knows only 1; write INTERVAL=1"
        )
    if refused := sorted(set(parts) - PARTS[frequency]):
        raise BadSchedule(
            f"{', '.join(refused)} can't be said with OnCalendar for FREQ={frequency}: "
            f"use {', '.join(sorted(PARTS[frequency]))}"
        )
    try:
        first = datetime.strptime(start, "%Y%m%dT%H%M%S")
    except ValueError:
        raise BadSchedule(f"DTSTART has {start}, which is no date and time") from None
    split = {name: value.split(",") for name, value in parts.items()}
    _refuse_values(split)
    made = Rule(text, first, zone, frequency, split)
    try:
        _refuse_clock_changes(made)
    except ValueError as error:
        if isinstance(error, BadSchedule):
            raise
        raise BadSchedule(f"{text} can't be read: {error}") from None
    return made


def _refuse_values(parts: dict[str, list[str]]) -> None:
    for day in parts.get("BYDAY", []):
        if day not in DAYS:
            raise BadSchedule(f"BYDAY has {day}: use {', '.join(DAYS)}, without numbers")
    if len(parts.get("BYMONTHDAY", [])) > 1:
        raise BadSchedule("BYMONTHDAY has several days, which AWX refuses: make a schedule of each")
    for name, low, high in (("BYMONTHDAY", 1, 28), ("BYHOUR", 0, 23), ("BYMINUTE", 0, 59)):
        for value in parts.get(name, []):
            if not value.isdecimal() or not low <= int(value) <= high:
                raise BadSchedule(f"{name} has {value}, not {low} to {high}")


def occurrences(rule: Rule, after: datetime, before: datetime) -> list[datetime]:
    """Times from ``after`` up to ``before`` (without zone), each in the rule's zone."""
    _head, _, body = rule.text.partition(" RRULE:")
    times = rrulestr(body, dtstart=rule.start).between(after, before, inc=True)
    return [one.replace(tzinfo=ZoneInfo(rule.zone)) for one in times]


def _refuse_clock_changes(rule: Rule) -> None:
    """Refuses local times that a day lacks or has twice."""
    end = rule.start + timedelta(days=366 * YEARS_AHEAD)
    for time in occurrences(rule, rule.start, end):
        if time.utcoffset() == time.replace(fold=1).utcoffset():
            continue
        raise BadSchedule(
            f"{time:%H:%M} is skipped or comes twice on {time:%Y-%m-%d} in {rule.zone}, when "
            "clocks change: take an hour outside of that"
        )


def on_calendar(rule: Rule) -> str:
    """The rule as systemd's OnCalendar, in the rule's zone."""

    def numbers(name: str, otherwise: int) -> str:
        return ",".join(f"{n:02}" for n in sorted(map(int, rule.parts.get(name, [otherwise]))))

    days = rule.parts.get("BYDAY", [])
    if rule.frequency == "WEEKLY" and not days:
        days = [list(DAYS)[rule.start.weekday()]]
    date = "*-*-*"
    if rule.frequency == "MONTHLY":
        date = f"*-*-{numbers('BYMONTHDAY', rule.start.day)}"
    time = f"{numbers('BYHOUR', rule.start.hour)}:{numbers('BYMINUTE', rule.start.minute)}"
    week = ",".join(DAYS[day] for day in DAYS if day in days)
    return " ".join(filter(None, (week, date, f"{time}:{rule.start.second:02}", rule.zone)))
