"""What an alarm does when its state changes: messages to SNS's topics, as AWS words them."""

import functools
import json
import logging
import queue
import threading
import time
from dataclasses import dataclass
from typing import Any

from botocore.loaders import Loader

from drydock.errors import DrydockError
from drydock.moto import cloudwatch, sns
from drydock.moto.cloudwatch import Alarm, stamp
from drydock.settings import ACCOUNT_ID

log = logging.getLogger("drydock.cloudwatch")


@functools.cache
def region_name(region: str) -> str:
    """``US East (N. Virginia)`` for ``us-east-1``: how AWS's messages name regions."""
    for partition in Loader().load_data("endpoints")["partitions"]:
        if region in partition["regions"]:
            return partition["regions"][region]["description"]
    return region


@dataclass(frozen=True)
class _Job:
    alarm: Alarm
    topic: str
    subject: str
    message: str
    changed: float


class Notifier:
    """Publishes in a thread of its own, so that nothing holds up the alarms."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[_Job] = queue.Queue()
        threading.Thread(target=self._run, name="alarm-actions", daemon=True).start()

    def act(self, alarm: Alarm, before: str, children: list[dict[str, Any]] | None = None) -> None:
        """Takes the actions of the state an alarm has come into.

        Args:
            before: the state it came from.
            children: of a composite alarm: the alarms that made it change.
        """
        if not alarm.parameters["ActionsEnabled"] or alarm.suppressed:
            return
        text = json.dumps(message(alarm, before, children))
        subject = _subject(alarm)
        for arn in alarm.actions():
            self._waiting.put(_Job(alarm, arn, subject, text, alarm.updated))

    def _run(self) -> None:
        while True:
            job = self._waiting.get()
            try:
                self._publish(job)
            except Exception:
                log.exception("%s: action %s failed", job.alarm.name, job.topic)

    @staticmethod
    def _publish(job: _Job) -> None:
        arn = job.topic
        data: dict[str, Any] = {
            "actionState": "Succeeded",
            "stateUpdateTimestamp": int(job.changed * 1000),
            "notificationResource": arn,
            "publishedMessage": job.message,
            "error": None,
        }
        summary = f"Successfully executed action {arn}"
        service = arn.split(":")[2] if arn.count(":") >= 5 else ""
        try:
            if service == "sns":
                sns.publish(arn, job.subject, job.message)
            elif service != "autoscaling":  # the autoscaling controller watches states by itself
                raise DrydockError(f"The embedded cloud takes no actions on {arn}, only on SNS.")
        except DrydockError as error:
            summary = f"Failed to execute action {arn}"
            data |= {"actionState": "Failed", "error": str(error)}
        cloudwatch.record(job.alarm, "Action", summary, data)


def _subject(alarm: Alarm) -> str:
    text = f'{alarm.state}: "{alarm.name}" in {region_name(alarm.region)}'
    if len(text) > 100:
        room = len(alarm.name) - (len(text) - 100) - 3
        text = f'{alarm.state}: "{alarm.name[:room]}..." in {region_name(alarm.region)}'
    return text


def message(alarm: Alarm, before: str, children: list[dict[str, Any]] | None) -> dict[str, Any]:
    """The notification of a state change, in AWS's shape."""
    given = alarm.parameters
    shape: dict[str, Any] = {
        "AlarmName": alarm.name,
        "AlarmDescription": given.get("AlarmDescription"),
        "AWSAccountId": ACCOUNT_ID,
        "AlarmConfigurationUpdatedTimestamp": stamp(alarm.configured),
        "NewStateValue": alarm.state,
        "NewStateReason": alarm.reason,
        "StateChangeTime": stamp(alarm.updated),
        "Region": region_name(alarm.region),
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": before,
        "OKActions": given.get("OKActions") or [],
        "AlarmActions": given.get("AlarmActions") or [],
        "InsufficientDataActions": given.get("InsufficientDataActions") or [],
    }
    if alarm.composite:
        del shape["AlarmConfigurationUpdatedTimestamp"]
        return {**shape, "AlarmRule": given["AlarmRule"], "TriggeringChildren": children or []}
    return {**shape, "Trigger": _trigger(given)}


def _dimensions(given: dict[str, Any]) -> list[dict[str, str]]:
    return [{"value": d["Value"], "name": d["Name"]} for d in given.get("Dimensions") or []]


def _trigger(given: dict[str, Any]) -> dict[str, Any]:
    trigger: dict[str, Any] = {}
    if "MetricName" in given:
        trigger = {"MetricName": given["MetricName"], "Namespace": given["Namespace"]}
        if statistic := given.get("Statistic"):
            trigger |= {"StatisticType": "Statistic", "Statistic": _shouted(statistic)}
        else:
            extended = given["ExtendedStatistic"]
            trigger |= {"StatisticType": "ExtendedStatistic", "ExtendedStatistic": extended}
        trigger |= {"Unit": given.get("Unit"), "Dimensions": _dimensions(given)}
    for key in ("Period", "EvaluationPeriods", "DatapointsToAlarm", "ComparisonOperator",
                "Threshold", "ThresholdMetricId"):  # fmt: skip
        if key in given:
            trigger[key] = given[key]
    trigger["TreatMissingData"] = given.get("TreatMissingData", "missing")
    trigger["EvaluateLowSampleCountPercentile"] = given.get("EvaluateLowSampleCountPercentile", "")
    if "Metrics" in given:
        trigger["Metrics"] = [_query(one) for one in given["Metrics"]]
    return trigger


def _shouted(statistic: str) -> str:
    return "SAMPLE_COUNT" if statistic == "SampleCount" else statistic.upper()


def _query(query: dict[str, Any]) -> dict[str, Any]:
    made = {"ReturnData": True, **query}
    if stat := query.get("MetricStat"):
        metric = {**stat["Metric"], "Dimensions": _dimensions(stat["Metric"])}
        made["MetricStat"] = {**stat, "Metric": metric}
    return made


def weekday(moment: float) -> str:
    """``Wednesday 10 November, 2021 02:45:55 UTC``: times in composite alarms' reasons."""
    return time.strftime("%A %d %B, %Y %H:%M:%S UTC", time.gmtime(moment))
