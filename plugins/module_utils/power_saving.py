"""What a night's sleep saves, by the price table, and for how many hours by the times of the jobs.

Counted as saved: hours of tasks, instances and NAT gateways, and nodes with their disks and their
traffic, which end with them. Not counted: what goes through a gateway, and all that costs by being
kept.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from ansible_collections.drydock.ops.plugins.module_utils import prices
from ansible_collections.drydock.ops.plugins.module_utils.cost_pages import money
from ansible_collections.drydock.ops.plugins.module_utils.power import Refused
from ansible_collections.drydock.ops.plugins.module_utils.price_rules import HOURS, Resource
from dateutil.rrule import rrulestr

# Resource type → which of its lines end; the rest of it goes on.
BY_THE_HOUR = ("aws_nat_gateway", "aws_ecs_service", "aws_db_instance")
WHOLE = ("aws_autoscaling_group",)
_RULE = re.compile(r"DTSTART;TZID=(\S+?):(\d{8}T\d{6}) RRULE:(\S+)")


@dataclass(frozen=True)
class Times:
    """When an environment sleeps. nights: (falls asleep, wakes) over a year from a moment on."""

    nights: tuple[tuple[datetime, datetime], ...]

    @property
    def month_hours(self) -> float:
        """Hours asleep in a twelfth of a year."""
        return sum(hours(*night) for night in self.nights) / 12


def hours(begin: datetime, end: datetime) -> float:
    """Return hours that pass between two moments, whatever clocks show."""
    return (end.timestamp() - begin.timestamp()) / 3600


def times(jobs: Path, now: datetime) -> Times:
    """Return the year of nights that begins with the next, by the schedules of teardown and wake.

    jobs: jobs/playbooks.yml. Raises Refused where a job has no schedule there.
    """
    found = yaml.safe_load(jobs.read_text())
    sleeps, wakes = (_occurrences(found, name, jobs, now) for name in ("teardown", "wake"))
    nights = []
    for begin in sleeps:
        end = next((one for one in wakes if one > begin), None)
        if end and (not nights or begin >= nights[-1][1]):
            nights.append((begin, end))
    return Times(tuple(nights))


def _occurrences(found: dict[str, Any], name: str, jobs: Path, now: datetime) -> list[datetime]:
    schedules = (found.get(name) or {}).get("schedules") or []
    rules = [_RULE.fullmatch(one["rrule"]) for one in schedules]
    if not rules or None in rules:
        raise Refused(f"{jobs} has no schedule for {name}, so what a month saves is not known.")
    made = []
    for rule in filter(None, rules):
        zone, first = ZoneInfo(rule[1]), datetime.strptime(rule[2], "%Y%m%dT%H%M%S")
        here = now.astimezone(zone).replace(tzinfo=None)
        made += [
            one.replace(tzinfo=zone)
            for one in rrulestr(rule[3], dtstart=first).between(here, here + timedelta(days=366))
        ]
    return sorted(made)


def split(
    resources: Iterable[Resource], table: prices.Prices, awake: Collection[str], network: bool
) -> tuple[float, prices.Cost]:
    """Return (US dollars a month that end with sleep, the whole cost).

    awake: names of services, fleets and databases that stay up; network: whether the gateways go.
    """
    everything = list(resources)
    cost = prices.cost_of(everything, table)
    up = {
        one.address
        for one in everything
        if {one.values.get("name"), one.values.get("identifier")} & set(awake)
        or (one.type == "aws_nat_gateway" and not network)
    }
    saved = sum(item.monthly for item in cost.items if item.address not in up and _ends(item))
    return saved, cost


def _ends(item: prices.Item) -> bool:
    return item.type in WHOLE or (item.type in BY_THE_HOUR and item.unit.endswith("hour"))


def left(costs: Iterable[prices.Cost]) -> dict[str, float]:
    """Return US dollars a month by AWS service that go on through the night, the dearest first."""
    found: Counter[str] = Counter()
    for item in (item for cost in costs for item in cost.items if not _ends(item)):
        found[item.service] += item.monthly  # type: ignore[assignment]
    return dict(found.most_common())


def lines(environment: str, saved: float, costs: list[prices.Cost], when: Times) -> list[str]:
    """Return the saving as sentences. saved: US dollars a month, if it slept all the time."""
    total = sum(cost.total for cost in costs)
    hourly = saved / HOURS
    night = when.nights[0] if when.nights else None
    made = [
        f"{environment} asleep costs {money((total - saved) / HOURS)} an hour instead of "
        f"{money(total / HOURS)}: {money(hourly)} saved an hour"
    ]
    if night:
        length = hours(*night)
        made += [
            f"a night of {length:g} hours: {money(hourly * length)}",
            f"a month by the times of the jobs ({when.month_hours:.0f} hours asleep): "
            f"{money(hourly * when.month_hours)} of {money(total)}",
        ]
    still = [f"{name} {money(paid)}" for name, paid in left(costs).items() if paid >= 0.005]
    return [*made, f"what costs on, a month: {', '.join(still)}"]
