"""Alarms as CloudWatch's API holds them, and what happened to them.

They lie in moto's backend, which keeps their tags; what moves their states is the CloudWatch
controller's. Other controllers put alarms of their own here and read their states.
"""

import datetime
import json
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from moto.backends import get_backend

from drydock.errors import ApiError
from drydock.settings import ACCOUNT_ID

STATES = ("OK", "ALARM", "INSUFFICIENT_DATA")
COMPARISONS = (
    "GreaterThanOrEqualToThreshold",
    "GreaterThanThreshold",
    "LessThanThreshold",
    "LessThanOrEqualToThreshold",
)
# Of anomaly detection, which nothing here computes: such alarms stay without data.
_BANDS = (
    "LessThanLowerOrGreaterThanUpperThreshold",
    "LessThanLowerThreshold",
    "GreaterThanUpperThreshold",
)
_MISSING = ("missing", "ignore", "breaching", "notBreaching")
_HISTORY = 5_000  # items of a region
# Held while an alarm or the history changes: API calls and the evaluation run side by side.
lock = threading.RLock()


def stamp(moment: float) -> str:
    """AWS's spelling of a time in alarm texts: ``2024-01-31T10:00:00.000+0000``."""
    at = datetime.datetime.fromtimestamp(moment, datetime.UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}+0000"


@dataclass
class Alarm:
    """A metric alarm or a composite alarm.

    Attributes:
        parameters: of the Put call that made it or last changed it, without tags.
        state: OK, ALARM or INSUFFICIENT_DATA.
        reason_data: JSON in AWS's shape, or None.
        updated, configured: when state or configuration last changed, epoch seconds.
        suppressed: whether its last actions were held back by its suppressor.
    """

    region: str
    name: str
    parameters: dict[str, Any]
    state: str = "INSUFFICIENT_DATA"
    reason: str = "Unchecked: Initial alarm creation"
    reason_data: str | None = None
    updated: float = field(default_factory=time.time)
    configured: float = field(default_factory=time.time)
    suppressed: bool = False

    @property
    def composite(self) -> bool:
        return "AlarmRule" in self.parameters

    @property
    def since(self) -> float:
        """When it came into its state, epoch seconds."""
        return self.updated

    @property
    def alarm_arn(self) -> str:
        return f"arn:aws:cloudwatch:{self.region}:{ACCOUNT_ID}:alarm:{self.name}"

    def actions(self) -> list[str]:
        """ARNs to act on for the state it is in."""
        key = {"OK": "OKActions", "ALARM": "AlarmActions"}.get(
            self.state, "InsufficientDataActions"
        )
        return list(self.parameters.get(key) or [])


@dataclass(frozen=True)
class Event:
    """An item of an alarm's history; ``kind`` is ConfigurationUpdate, StateUpdate or Action."""

    alarm: str
    composite: bool
    at: float
    kind: str
    summary: str
    data: str


def _backend(region: str) -> Any:
    return get_backend("cloudwatch")[ACCOUNT_ID][region]


def alarms(region: str | None = None) -> list[Alarm]:
    """Every alarm of one region, or of all, in the order they were made."""
    backends = get_backend("cloudwatch")[ACCOUNT_ID]
    found = [region] if region else list(backends)
    return [
        one
        for name in found
        for one in list(backends[name].alarms.values())
        if isinstance(one, Alarm)
    ]


def alarm(region: str, name: str) -> Alarm | None:
    """The alarm as it is now, or None when there is none; read its ``state`` and ``since``."""
    found = _backend(region).alarms.get(name)
    return found if isinstance(found, Alarm) else None


def history(region: str) -> deque[Event]:
    """What happened to the region's alarms, the oldest first; outlives the alarms."""
    backend = _backend(region)
    if not hasattr(backend, "alarm_history"):
        backend.alarm_history = deque(maxlen=_HISTORY)
    return backend.alarm_history


def record(one: Alarm, kind: str, summary: str, data: dict[str, Any]) -> None:
    """Adds an item to the history."""
    text = json.dumps({"version": "1.0", **data}, default=str)
    with lock:
        history(one.region).append(Event(one.name, one.composite, time.time(), kind, summary, text))


def put_metric_alarm(region: str, **parameters: Any) -> Alarm:
    """Makes or replaces an alarm; takes PutMetricAlarm's parameters.

    Raises:
        ApiError: a parameter that AWS refuses.
    """
    _check(parameters)
    return put(region, parameters)


def put(region: str, parameters: dict[str, Any]) -> Alarm:
    """Keeps an alarm whose parameters were checked; an alarm that is there keeps its state."""
    parameters = {key: value for key, value in parameters.items() if value is not None}
    tags, name = parameters.pop("Tags", []), parameters["AlarmName"]
    parameters.setdefault("ActionsEnabled", True)
    with lock:
        one = alarm(region, name)
        if one:
            one.parameters, one.configured = parameters, time.time()
            kind, key, summary = "Update", "updatedAlarm", f'Alarm "{name}" updated'
        else:
            one = Alarm(region, name, parameters)
            backend = _backend(region)
            backend.alarms[name] = one
            # AWS ignores tags given to an alarm that is there.
            backend.tagger.tag_resource(one.alarm_arn, tags)
            kind, key, summary = "Create", "createdAlarm", f'Alarm "{name}" created'
        record(one, "ConfigurationUpdate", summary, {"type": kind, key: _configuration(one)})
    return one


def delete_alarms(region: str, names: list[str]) -> None:
    """Deletes alarms; names that there are none of are passed over, as AWS does."""
    for name in names:
        with lock:
            if one := alarm(region, name):
                backend = _backend(region)
                del backend.alarms[name]
                backend.tagger.delete_all_tags_for_resource(one.alarm_arn)
                data = {"type": "Delete", "deletedAlarm": _configuration(one)}
                record(one, "ConfigurationUpdate", f'Alarm "{name}" deleted', data)


def set_state(one: Alarm, state: str, reason: str, reason_data: str | None) -> str | None:
    """Moves an alarm into a state.

    Returns:
        The state it was in; None when that is the same and only the reason changed, or when
        the alarm was deleted meanwhile.
    """
    with lock:
        if alarm(one.region, one.name) is not one:
            return None
        old = {"stateValue": one.state, "stateReason": one.reason}
        if one.reason_data:
            old["stateReasonData"] = json.loads(one.reason_data)
        before, one.reason, one.reason_data = one.state, reason, reason_data
        if state == before:
            return None
        one.state, one.updated = state, time.time()
        new = {"stateValue": state, "stateReason": reason}
        if reason_data:
            new["stateReasonData"] = json.loads(reason_data)
        summary = f"Alarm updated from {before} to {state}"
        record(one, "StateUpdate", summary, {"oldState": old, "newState": new})
    return before


def _configuration(one: Alarm) -> dict[str, Any]:
    """An alarm in the history's spelling: keys begin with a small letter."""
    kept = {key[0].lower() + key[1:]: value for key, value in one.parameters.items()}
    return {
        **kept,
        "alarmArn": one.alarm_arn,
        "alarmConfigurationUpdatedTimestamp": stamp(one.configured),
        "stateValue": one.state,
        "stateUpdatedTimestamp": stamp(one.updated),
    }


def refuse(text: str) -> ApiError:
    return ApiError("ValidationError", text)


def _check(given: dict[str, Any]) -> None:
    name, periods = given.get("AlarmName"), given.get("EvaluationPeriods")
    if not name or len(name) > 255:
        raise refuse(f"AlarmName {name!r} is refused: give 1 to 255 characters.")
    if not isinstance(periods, int) or periods < 1:
        raise refuse(f"EvaluationPeriods of {name} is {periods}; give a number of at least 1.")
    needed = given.get("DatapointsToAlarm")
    if needed is not None and not 1 <= needed <= periods:
        raise refuse(f"DatapointsToAlarm of {name} is {needed}; give 1 to {periods}.")
    comparison = given.get("ComparisonOperator")
    if comparison not in (*COMPARISONS, *_BANDS):
        raise refuse(f"ComparisonOperator of {name} is {comparison}; give one of {COMPARISONS}.")
    if given.get("Threshold") is None and not given.get("ThresholdMetricId"):
        raise refuse(f"{name} has no Threshold.")
    if given.get("TreatMissingData", "missing") not in _MISSING:
        raise refuse(f"TreatMissingData {given['TreatMissingData']} is none of {_MISSING}.")
    if bool(given.get("MetricName")) == bool(given.get("Metrics")):
        raise refuse(f"{name} must have either MetricName or Metrics.")
    if given.get("Metrics"):
        shown = [query["Id"] for query in given["Metrics"] if query.get("ReturnData", True)]
        if len(shown) != 1 and not given.get("ThresholdMetricId"):
            raise refuse(f"Exactly one of {name}'s Metrics returns data; these do: {shown}.")
        return
    if bool(given.get("Statistic")) == bool(given.get("ExtendedStatistic")):
        raise refuse(f"{name} must have either Statistic or ExtendedStatistic.")
    check_period(given.get("Period"))


def check_period(period: Any) -> None:
    """Refuses a number of seconds that is not one of CloudWatch's periods."""
    good = isinstance(period, int) and period > 0
    if not good or (period not in (1, 5, 10, 20, 30) and period % 60):
        raise refuse(f"Period {period} is refused: give 1, 5, 10, 20, 30 or a multiple of 60 s.")
