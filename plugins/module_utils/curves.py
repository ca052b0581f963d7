"""The curves of the metrics behind alarms, as the alarms themselves define them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from ansible_collections.drydock.ops.plugins.module_utils.alarms import describe

# ALARM("name"), ALARM(name), OK(…), INSUFFICIENT_DATA(…); a name may also be an ARN.
_CHILD = re.compile(r"\b(?:ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:\"([^\"]*)\"|([^)\"\s]+))\s*\)")
QUERIES = 100  # that GetMetricData takes at once is 500; kept small so that one answer holds all


def children(alarm: dict[str, Any]) -> list[str]:
    """Return the names of the alarms that a composite alarm is made of."""
    found = [quoted or plain for quoted, plain in _CHILD.findall(alarm.get("AlarmRule", ""))]
    return [name.rpartition(":alarm:")[2] or name for name in found]


def queries(alarm: dict[str, Any], period: int) -> list[dict[str, Any]]:
    """Return the metric queries of an alarm; its own value (what meets the threshold) is last.

    period: seconds that replace the alarm's own, which on a scaled clock are not real ones.
    """
    if alarm.get("MetricName"):
        return [
            {
                "Id": "m1",
                "ReturnData": True,
                "MetricStat": {
                    "Metric": {
                        "Namespace": alarm["Namespace"],
                        "MetricName": alarm["MetricName"],
                        "Dimensions": alarm.get("Dimensions", []),
                    },
                    "Period": period,
                    "Stat": alarm.get("Statistic") or alarm.get("ExtendedStatistic"),
                },
            }
        ]
    found = []
    for metric in alarm.get("Metrics", []):
        query = {key: metric[key] for key in ("Id", "Expression", "Label") if key in metric}
        if "MetricStat" in metric:
            stat = metric["MetricStat"]
            query["MetricStat"] = {
                "Metric": stat["Metric"],
                "Period": period,
                "Stat": stat["Stat"],
            }
        else:
            query["Period"] = period
        query["ReturnData"] = True
        found.append((bool(metric.get("ReturnData", True)), query))
    return [query for _own, query in sorted(found, key=lambda one: one[0])]


def label(query: dict[str, Any]) -> str:
    """Return the name of a curve as people know it."""
    if stat := query.get("MetricStat"):
        metric = stat["Metric"]
        return f"{metric['MetricName']} ({stat['Stat']})"
    return query.get("Label") or query.get("Expression", query["Id"])


def about(query: dict[str, Any]) -> str:
    """Return what tells two curves of one name apart: their dimensions."""
    if stat := query.get("MetricStat"):
        return ", ".join(
            f"{one['Name']}={one['Value']}" for one in stat["Metric"].get("Dimensions", [])
        )
    return query.get("Expression", "")


def read(
    cloudwatch: Any,
    names: list[str],
    start: float,
    end: float,
    period: int,
) -> list[dict[str, Any]]:
    """Return the curves of the alarms with these names or patterns.

    start, end: seconds since the epoch. Each curve is {alarm, label, about, main, threshold,
    comparison, period, points}; points are [seconds since the epoch, value], main says whether
    it is the value that the alarm compares with its threshold. A curve that several alarms
    use is there once.
    """
    alarms = {one["AlarmName"]: one for one in describe(cloudwatch, names)}
    inside = {name for one in alarms.values() for name in children(one)} - set(alarms)
    if inside:
        alarms.update({one["AlarmName"]: one for one in describe(cloudwatch, sorted(inside))})
    start = start - start % period
    curves, seen = [], set()
    for name in sorted(alarms):
        alarm = alarms[name]
        asked = queries(alarm, period)
        if not asked:
            continue
        found: dict[str, list[list[float]]] = {}
        request = {
            "MetricDataQueries": asked[:QUERIES],
            "StartTime": datetime.fromtimestamp(start, UTC),
            "EndTime": datetime.fromtimestamp(end, UTC),
            "ScanBy": "TimestampAscending",
        }
        while True:
            answer = cloudwatch.get_metric_data(**request)
            for result in answer["MetricDataResults"]:
                found.setdefault(result["Id"], []).extend(
                    [at.timestamp(), value]
                    for at, value in zip(result["Timestamps"], result["Values"], strict=True)
                )
            if not answer.get("NextToken"):
                break
            request["NextToken"] = answer["NextToken"]
        for query in asked:
            main = query is asked[-1]
            key = json.dumps(query.get("MetricStat") or [name, query["Id"]], sort_keys=True)
            if key in seen and not main:
                continue
            seen.add(key)
            curves.append(
                {
                    "alarm": name,
                    "label": label(query),
                    "about": about(query),
                    "main": main,
                    "threshold": alarm.get("Threshold") if main else None,
                    "comparison": alarm.get("ComparisonOperator", "") if main else "",
                    "period": period,
                    "points": sorted(found.get(query["Id"], [])),
                }
            )
    return curves
