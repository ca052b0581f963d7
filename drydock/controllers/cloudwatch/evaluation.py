"""What state a metric alarm is in, from its latest datapoints.

The rules are those of CloudWatch's documentation, "Configuring how CloudWatch alarms treat
missing data"; its tables are the unit tests.
"""

import datetime
import json
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drydock.moto.cloudwatch import stamp

# Datapoints that are looked at beyond EvaluationPeriods, in case the latest are missing: the
# documentation's examples retrieve five for three.
EXTRA_PERIODS = 2
_COMPARISONS = {
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}


@dataclass(frozen=True)
class Point:
    """A datapoint: start of its window in epoch seconds, value, values behind it if known."""

    at: int
    value: float
    count: float | None = None


@dataclass(frozen=True)
class Verdict:
    """A state, and why in AWS's words."""

    state: str
    reason: str
    data: str


def evaluate(
    alarm: Mapping[str, Any],
    points: Sequence[Point | None],
    starts: Sequence[int],
    now: float,
    current: str | None = None,
) -> Verdict | None:
    """Judges an alarm.

    Args:
        alarm: PutMetricAlarm's parameters.
        points: of the evaluation range, oldest first; None where there is no datapoint.
        starts: when the windows of the points begin.
        current: the state it is in, if that is known.

    Returns:
        None when the alarm keeps the state it is in.
    """
    return _Evaluation(alarm, points, starts, now).verdict(current)


def _plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


class _Evaluation:
    def __init__(
        self,
        alarm: Mapping[str, Any],
        points: Sequence[Point | None],
        starts: Sequence[int],
        now: float,
    ):
        self._alarm, self._points, self._starts, self._now = alarm, points, starts, now
        self._periods = alarm["EvaluationPeriods"]
        self._needed = alarm.get("DatapointsToAlarm") or self._periods
        self._compare, self._words = _COMPARISONS[alarm["ComparisonOperator"]]
        self._threshold = float(alarm["Threshold"])
        self._missing = alarm.get("TreatMissingData", "missing")
        if alarm.get("Namespace") == "AWS/DynamoDB":
            self._missing = "ignore"  # whatever was asked for, as AWS does
        # No more real datapoints than needed; all there are, if they are fewer.
        self._real = [one for one in points if one][-self._periods :]
        self._filled = self._periods - len(self._real)

    def _breaches(self, point: Point) -> bool:
        return self._compare(point.value, self._threshold)

    def verdict(self, current: str | None) -> Verdict | None:
        state = self._state()
        if state in (None, current):
            return None
        return Verdict(state, self._reason(state), self._data())

    def _state(self) -> str | None:
        breaching = sum(map(self._breaches, self._real))
        if self._missing == "breaching":
            breaching += self._filled
        if breaching >= self._needed:
            return "ALARM"
        if not self._filled or self._missing in ("breaching", "notBreaching"):
            return "OK"
        if not self._real:
            return "INSUFFICIENT_DATA" if self._missing == "missing" else None
        if breaching < len(self._real):
            return "OK"
        # Nothing but breaching and missing datapoints: AWS alarms once the oldest is as old as
        # DatapointsToAlarm, however few they are.
        oldest = next(n for n, one in enumerate(reversed(self._points)) if one is self._real[0])
        if self._missing == "ignore":
            return None
        return "ALARM" if oldest + 1 >= self._needed else "OK"

    def _reason(self, state: str) -> str:
        if state == "INSUFFICIENT_DATA":
            verb = "was" if self._periods == 1 else "were"
            return f"Insufficient Data: {_plural(self._periods, 'datapoint')} {verb} unknown."
        text = self._crossed(state == "ALARM")
        explicit = self._alarm.get("DatapointsToAlarm")
        if self._filled and self._missing in ("breaching", "notBreaching"):
            verb = "was" if self._filled == 1 else "were"
            name = "Breaching" if self._missing == "breaching" else "NonBreaching"
            text += f" and {_plural(self._filled, 'missing datapoint')} {verb} treated as [{name}]"
        if explicit and self._real:
            least, change = self._needed, "OK -> ALARM"
            if state == "OK":
                least, change = self._periods - self._needed + 1, "ALARM -> OK"
            text += f" (minimum {_plural(least, 'datapoint')} for {change} transition)"
        return f"Threshold Crossed: {text}."

    def _crossed(self, alarming: bool) -> str:
        if not self._real:
            return f"no datapoints were received for {_plural(self._periods, 'period')}"
        chosen = [one for one in reversed(self._real) if self._breaches(one) == alarming]
        listed = ", ".join(f"{one.value} ({_date(one.at)})" for one in chosen[:5])
        verb = "was" if len(chosen) == 1 else "were"
        rest = f"{verb} {'' if alarming else 'not '}{self._words} the threshold ({self._threshold})"
        if self._alarm.get("DatapointsToAlarm"):
            return f"{len(chosen)} out of the last {self._periods} datapoints [{listed}] {rest}"
        if len(chosen) <= 3:
            return f"{_plural(len(chosen), 'datapoint')} [{listed}] {rest}"
        return (
            f"{len(chosen)} datapoints {rest}. The most recent datapoints which crossed the "
            f"threshold: [{listed}]"
        )

    def _data(self) -> str:
        alarm, newest_first = self._alarm, list(reversed(self._real))
        data: dict[str, Any] = {"version": "1.0", "queryDate": stamp(self._now)}
        if self._real:
            data["startDate"] = stamp(self._real[0].at)
        if alarm.get("Unit"):
            data["unit"] = alarm["Unit"]
        if statistic := alarm.get("Statistic") or alarm.get("ExtendedStatistic"):
            data["statistic"] = statistic
        data["period"] = period_of(alarm)
        data["recentDatapoints"] = [one.value for one in self._real]
        data["threshold"] = self._threshold
        rows: list[dict[str, Any]] = []
        for point in newest_first:
            row: dict[str, Any] = {"timestamp": stamp(point.at)}
            if point.count is not None:
                row["sampleCount"] = point.count
            rows.append({**row, "value": point.value})
        missing = [s for s, one in zip(self._starts, self._points, strict=True) if one is None]
        rows += [{"timestamp": stamp(at)} for at in reversed(missing)][: self._filled]
        data["evaluatedDatapoints"] = sorted(rows, key=lambda row: row["timestamp"], reverse=True)
        return json.dumps(data, separators=(",", ":"))


def _date(at: int) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%d/%m/%y %H:%M:%S")


def period_of(alarm: Mapping[str, Any]) -> int:
    """An alarm's period in AWS's seconds; of several metrics the longest."""
    periods = [
        query.get("MetricStat", {}).get("Period") or query.get("Period") or 0
        for query in alarm.get("Metrics") or []
    ]
    return alarm.get("Period") or max(periods, default=0) or 60


def too_few(alarm: Mapping[str, Any], points: Sequence[Point | None]) -> bool:
    """Whether a percentile has too few values behind it, and the alarm is to wait then.

    AWS asks for 10/(1-p) values from p = 0.5 on, and for 10/p below.
    """
    if alarm.get("EvaluateLowSampleCountPercentile") != "ignore":
        return False
    share = float((alarm.get("ExtendedStatistic") or "p50")[1:]) / 100
    scarce = (1 - share) if share >= 0.5 else share
    seen = sum(one.count or 0 for one in points if one)
    return scarce > 0 and seen < 10 / scarce
