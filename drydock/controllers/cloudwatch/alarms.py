"""Evaluates the alarms when their time has come, and moves their states."""

import json
import logging
from typing import Any

from drydock.controllers.cloudwatch import evaluation, rules
from drydock.controllers.cloudwatch.evaluation import EXTRA_PERIODS, Point, Verdict
from drydock.controllers.cloudwatch.expressions import Line, refuse
from drydock.controllers.cloudwatch.notifications import Notifier, weekday
from drydock.controllers.cloudwatch.queries import Resolver, metric_of
from drydock.controllers.cloudwatch.store import MetricStore
from drydock.errors import ApiError
from drydock.moto import cloudwatch
from drydock.moto.cloudwatch import Alarm, stamp
from drydock.settings import Settings

log = logging.getLogger("drydock.cloudwatch")
# Real seconds after a window's end before it is judged: values of its last moment are on their
# way. What comes later counts at the next evaluation, which looks at the window again.
GRACE = 0.5


class Alarms:
    """All alarms, evaluated on AWS's clock as the settings scale it."""

    def __init__(self, settings: Settings, store: MetricStore, notifier: Notifier):
        self._settings, self._store, self._notifier = settings, store, notifier
        # (region, alarm, when configured) → end of the last window that was judged.
        self._judged: dict[tuple[str, str, float], int] = {}

    def window(self, period: int) -> int:
        """Real seconds that an alarm's period lasts; a second is the least."""
        return max(1, round(self._settings.scaled(period)))

    def evaluate(self, now: float) -> None:
        """Judges every alarm that has a new window since it was judged last."""
        found = cloudwatch.alarms()
        judged: dict[tuple[str, str, float], int] = {}
        for alarm in found:
            if alarm.composite:
                continue
            # Every minute, or every ten seconds where the period is shorter than that.
            every = self.window(60 if evaluation.period_of(alarm.parameters) >= 60 else 10)
            end = int((now - GRACE) // every) * every
            key = (alarm.region, alarm.name, alarm.configured)
            judged[key] = end
            if self._judged.get(key) != end:
                self._judge(alarm, end, now)
        self._judged = judged
        self._composites([one for one in found if one.composite])

    def _judge(self, alarm: Alarm, end: int, now: float) -> None:
        if alarm.parameters.get("ThresholdMetricId"):
            return  # anomaly detection: nothing here computes a band
        try:
            verdict = self._verdict(alarm, end, now)
        except ApiError as error:
            log.warning("alarm %s can't be evaluated: %s", alarm.name, error)
            return
        if verdict:
            self.move(alarm, verdict.state, verdict.reason, verdict.data)

    def _verdict(self, alarm: Alarm, end: int, now: float) -> Verdict | None:
        given = alarm.parameters
        seconds = self.window(evaluation.period_of(given))
        count = given["EvaluationPeriods"] + EXTRA_PERIODS

        def grid(length: int) -> list[int]:
            # Windows of other lengths cover the same time.
            number = count * seconds // length
            return [end - back * length for back in range(number, 0, -1)]

        resolver = Resolver(self._store, alarm.region, self.window, grid)
        if "Metrics" in given:
            shown = next(one["Id"] for one in given["Metrics"] if one.get("ReturnData", True))
            line = resolver.all(given["Metrics"])[shown]
            if not isinstance(line, Line):
                raise refuse(shown, "an alarm needs one time series")
            counts: dict[int, float] = {}
        else:
            statistic = given.get("Statistic") or given["ExtendedStatistic"]
            line = resolver.line(metric_of(given), given["Period"], statistic, given.get("Unit"))
            counts = resolver.counts
        starts = grid(seconds)
        points = [
            Point(at, line.points[at], counts.get(at)) if at in line.points else None
            for at in starts
        ]
        if evaluation.too_few(given, points[-given["EvaluationPeriods"] :]):
            return None
        return evaluation.evaluate(given, points, starts, now, alarm.state)

    def move(self, alarm: Alarm, state: str, reason: str, data: str | None) -> None:
        """Puts an alarm into a state and takes its actions, if it was not in it."""
        before = cloudwatch.set_state(alarm, state, reason, data)
        if before:
            log.info("alarm %s: %s → %s: %s", alarm.name, before, state, reason)
            self._notifier.act(alarm, before)

    def _composites(self, found: list[Alarm]) -> None:
        # A composite may stand on another: as many rounds as could be needed, then an end,
        # for AWS lets rules form a circle too.
        for _ in range(len(found)):
            moved = [self._compose(one) for one in found]
            if not any(moved):
                return

    def _compose(self, alarm: Alarm) -> bool:
        """Moves one composite alarm if its rule says so; whether it moved."""
        rule = rules.parse(alarm.parameters["AlarmRule"])
        children = {
            name: one for name in rule.names if (one := cloudwatch.alarm(alarm.region, name))
        }
        states = {name: one.state for name, one in children.items()}
        state = "ALARM" if rule.holds(states) else "OK"
        if state == alarm.state:
            return False
        first = alarm.reason.startswith("Unchecked")
        trigger = max(children.values(), key=lambda one: one.updated, default=None)
        if first or trigger is None:
            reason = f"{alarm.alarm_arn} was created and its alarm rule evaluates to {state}"
        else:
            reason = (
                f"{trigger.alarm_arn} transitioned to {trigger.state} at {weekday(trigger.updated)}"
            )
        triggers = [trigger] if trigger else []
        data: dict[str, Any] = {
            "triggeringAlarms": [
                {"arn": t.alarm_arn, "state": {"value": t.state, "timestamp": stamp(t.updated)}}
                for t in triggers
            ]
        }
        shown = [
            {"Arn": t.alarm_arn, "State": {"Value": t.state, "Timestamp": stamp(t.updated)}}
            for t in triggers
        ]
        alarm.suppressed = self._suppressed(alarm)
        before = cloudwatch.set_state(alarm, state, reason, json.dumps(data))
        if before:
            log.info("alarm %s: %s → %s: %s", alarm.name, before, state, reason)
            self._notifier.act(alarm, before, shown)
        return True

    @staticmethod
    def _suppressed(alarm: Alarm) -> bool:
        suppressor = alarm.parameters.get("ActionsSuppressor", "").split(":alarm:")[-1]
        one = cloudwatch.alarm(alarm.region, suppressor) if suppressor else None
        return one is not None and one.state == "ALARM"
