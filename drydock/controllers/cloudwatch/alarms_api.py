"""CloudWatch's calls about alarms."""

import datetime
import json
from collections.abc import Iterable
from typing import Any

from drydock.controllers.cloudwatch import queries, rules
from drydock.controllers.cloudwatch.alarms import Alarms
from drydock.errors import ApiError
from drydock.moto import cloudwatch
from drydock.moto.api import Context, Handler
from drydock.moto.cloudwatch import STATES, Alarm, refuse

_TYPES = {"MetricAlarm": False, "CompositeAlarm": True}


def _at(moment: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(moment, datetime.UTC)


def _describe(alarm: Alarm) -> dict[str, Any]:
    shown = {
        "Dimensions": [],
        "OKActions": [],
        "AlarmActions": [],
        "InsufficientDataActions": [],
        **alarm.parameters,
        "AlarmArn": alarm.alarm_arn,
        "AlarmConfigurationUpdatedTimestamp": _at(alarm.configured),
        "StateValue": alarm.state,
        "StateReason": alarm.reason,
        "StateUpdatedTimestamp": _at(alarm.updated),
        "StateTransitionedTimestamp": _at(alarm.updated),
    }
    if alarm.reason_data:
        shown["StateReasonData"] = alarm.reason_data
    if alarm.suppressed:
        shown |= {
            "ActionsSuppressedBy": "Alarm",
            "ActionsSuppressedReason": "Actions suppressed by the alarm in ActionsSuppressor",
        }
    if alarm.composite:
        del shown["Dimensions"]
    return shown


def _page(rows: list[Any], given: dict[str, Any], limit: int) -> tuple[list[Any], dict[str, Any]]:
    """The rows of one page, and NextToken when there are more."""
    token = given.get("NextToken") or "0"
    if not token.isdigit():
        raise ApiError("InvalidNextToken", "The next token specified is invalid.")
    begin, size = int(token), given.get("MaxRecords") or limit
    more = {"NextToken": str(begin + size)} if begin + size < len(rows) else {}
    return rows[begin : begin + size], more


def _not_found(name: str, region: str) -> ApiError:
    return ApiError("ResourceNotFound", f"There is no alarm {name} in {region}.", 404)


class AlarmsApi:
    """Answers from the alarms' state; what moves a state does so through ``alarms``."""

    def __init__(self, alarms: Alarms):
        self._alarms = alarms

    def operations(self) -> dict[tuple[str, str], Handler]:
        return {
            ("cloudwatch", "PutMetricAlarm"): self._put,
            ("cloudwatch", "PutCompositeAlarm"): self._put_composite,
            ("cloudwatch", "DescribeAlarms"): self._list,
            ("cloudwatch", "DescribeAlarmsForMetric"): self._list_for_metric,
            ("cloudwatch", "DescribeAlarmHistory"): self._history,
            ("cloudwatch", "SetAlarmState"): self._set_state,
            ("cloudwatch", "EnableAlarmActions"): lambda *call: self._enable(*call, True),
            ("cloudwatch", "DisableAlarmActions"): lambda *call: self._enable(*call, False),
            ("cloudwatch", "DeleteAlarms"): self._delete,
        }

    def _put(self, context: Context, given: dict[str, Any]) -> dict[str, Any]:
        if statistic := given.get("ExtendedStatistic") or given.get("Statistic"):
            queries.check_statistic(statistic)
        # A band of anomaly detection is stored as it comes; nothing here computes one.
        if given.get("Metrics") and not given.get("ThresholdMetricId"):
            queries.check(given["Metrics"])
        self._refuse_other_kind(context, given["AlarmName"], composite=False)
        cloudwatch.put_metric_alarm(context.region, **given)
        return {}

    def _put_composite(self, context: Context, given: dict[str, Any]) -> dict[str, Any]:
        rule = rules.parse(given["AlarmRule"])
        missing = [one for one in rule.names if not cloudwatch.alarm(context.region, one)]
        if missing:
            raise refuse(
                f"Could not save the composite alarm as alarms [{', '.join(missing)}] in the "
                "alarm rule do not exist"
            )
        self._refuse_other_kind(context, given["AlarmName"], composite=True)
        cloudwatch.put(context.region, given)
        return {}

    @staticmethod
    def _refuse_other_kind(context: Context, name: str, *, composite: bool) -> None:
        one = cloudwatch.alarm(context.region, name)
        if one and one.composite != composite:
            kind = "composite" if one.composite else "metric"
            raise refuse(f"{name} is the name of a {kind} alarm; delete that first.")

    def _list(self, context: Context, given: dict[str, Any]) -> dict[str, Any]:
        if given.get("AlarmNames") and given.get("AlarmNamePrefix"):
            raise refuse("AlarmNames and AlarmNamePrefix can't be given together.")
        kinds = {_TYPES[one] for one in given.get("AlarmTypes") or ["MetricAlarm"]}
        found = sorted(cloudwatch.alarms(context.region), key=lambda one: one.name)
        if parent := given.get("ChildrenOfAlarmName"):
            found = self._relatives(context.region, parent, found, children=True)
        if child := given.get("ParentsOfAlarmName"):
            found = self._relatives(context.region, child, found, children=False)
        if given.get("ChildrenOfAlarmName") or given.get("ParentsOfAlarmName"):
            kinds = {False, True}
        rows, more = _page(
            [one for one in found if one.composite in kinds and _fits(one, given)], given, 100
        )
        return {
            "MetricAlarms": [_describe(one) for one in rows if not one.composite],
            "CompositeAlarms": [_describe(one) for one in rows if one.composite],
            **more,
        }

    @staticmethod
    def _relatives(region: str, name: str, found: list[Alarm], *, children: bool) -> list[Alarm]:
        if children:
            one = cloudwatch.alarm(region, name)
            if not one or not one.composite:
                return []
            below = rules.parse(one.parameters["AlarmRule"]).names
            return [child for child in found if child.name in below]
        return _parents(found, name)

    def _list_for_metric(self, context: Context, given: dict[str, Any]) -> dict[str, Any]:
        metric = queries.metric_of(given)
        found = [
            one
            for one in cloudwatch.alarms(context.region)
            if one.parameters.get("MetricName") == metric.name
            and queries.metric_of(one.parameters) == metric
            and all(
                given.get(key) in (None, one.parameters.get(key))
                for key in ("Statistic", "ExtendedStatistic", "Period", "Unit")
            )
        ]
        return {"MetricAlarms": [_describe(one) for one in found]}

    def _history(self, context: Context, given: dict[str, Any]) -> dict[str, Any]:
        kinds = {_TYPES[one] for one in given.get("AlarmTypes") or ["MetricAlarm"]}
        if given.get("AlarmName") and not given.get("AlarmTypes"):
            kinds = {False, True}
        start, end = given.get("StartDate"), given.get("EndDate")
        with cloudwatch.lock:
            events = list(cloudwatch.history(context.region))
        rows = [
            {
                "AlarmName": one.alarm,
                "AlarmType": "CompositeAlarm" if one.composite else "MetricAlarm",
                "Timestamp": _at(one.at),
                "HistoryItemType": one.kind,
                "HistorySummary": one.summary,
                "HistoryData": one.data,
            }
            for one in events
            if given.get("AlarmName") in (None, one.alarm)
            and one.composite in kinds
            and given.get("HistoryItemType") in (None, one.kind)
            and (start is None or one.at >= _aware(start).timestamp())
            and (end is None or one.at <= _aware(end).timestamp())
        ]
        if given.get("ScanBy", "TimestampDescending") == "TimestampDescending":
            rows.reverse()
        shown, more = _page(rows, given, 100)
        return {"AlarmHistoryItems": shown, **more}

    def _set_state(self, context: Context, given: dict[str, Any]) -> dict[str, Any]:
        name, state = given["AlarmName"], given["StateValue"]
        alarm = cloudwatch.alarm(context.region, name)
        if alarm is None:
            raise _not_found(name, context.region)
        if state not in STATES:
            raise refuse(f"StateValue {state} is none of {', '.join(STATES)}.")
        data = given.get("StateReasonData")
        try:
            json.loads(data or "{}")
        except ValueError:
            raise ApiError("InvalidFormat", "StateReasonData is not JSON.") from None
        self._alarms.move(alarm, state, given["StateReason"], data)
        return {}

    def _enable(self, context: Context, given: dict[str, Any], enabled: bool) -> dict[str, Any]:
        for name in given["AlarmNames"]:
            alarm = cloudwatch.alarm(context.region, name)
            if alarm and alarm.parameters["ActionsEnabled"] != enabled:
                cloudwatch.put(context.region, {**alarm.parameters, "ActionsEnabled": enabled})
        return {}

    def _delete(self, context: Context, given: dict[str, Any]) -> dict[str, Any]:
        names = given["AlarmNames"]
        rest = [one for one in cloudwatch.alarms(context.region) if one.name not in names]
        for name in names:
            if _parents(rest, name):
                raise refuse(
                    f"Cannot delete {name} as there are composite alarm(s) depending on it."
                )
        cloudwatch.delete_alarms(context.region, names)
        return {}


def _parents(found: Iterable[Alarm], name: str) -> list[Alarm]:
    return [
        one
        for one in found
        if one.composite and name in rules.parse(one.parameters["AlarmRule"]).names
    ]


def _fits(alarm: Alarm, given: dict[str, Any]) -> bool:
    parameters = alarm.parameters
    actions = [
        arn
        for key in ("OKActions", "AlarmActions", "InsufficientDataActions")
        for arn in parameters.get(key) or []
    ]
    return (
        alarm.name in (given.get("AlarmNames") or [alarm.name])
        and alarm.name.startswith(given.get("AlarmNamePrefix") or "")
        and given.get("StateValue") in (None, alarm.state)
        and (
            not given.get("ActionPrefix")
            or any(arn.startswith(given["ActionPrefix"]) for arn in actions)
        )
    )


def _aware(given: datetime.datetime) -> datetime.datetime:
    return given if given.tzinfo else given.replace(tzinfo=datetime.UTC)
