"""CloudWatch's calls about metrics."""

import datetime
import math
import time
from typing import Any

from drydock.controllers.cloudwatch.expressions import Line, refuse
from drydock.controllers.cloudwatch.queries import Resolver, check, check_statistic, metric_of
from drydock.controllers.cloudwatch.store import Metric, MetricStore
from drydock.errors import ApiError
from drydock.moto.api import Context, Handler
from drydock.moto.cloudwatch import check_period

_PAGE = 500
_MOST_POINTS, _MOST_STATISTICS = 100_800, 1_440  # of GetMetricData, of GetMetricStatistics
_OLDEST, _NEWEST = 14 * 86_400, 2 * 3_600  # seconds back and ahead that PutMetricData takes


def _at(moment: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(moment, datetime.UTC)


def _epoch(given: Any) -> float:
    if isinstance(given, datetime.datetime):
        if given.tzinfo is None:
            given = given.replace(tzinfo=datetime.UTC)
        return given.timestamp()
    return float(given)


def _invalid(text: str) -> ApiError:
    return ApiError("InvalidParameterValue", text)


def _range(given: dict[str, Any]) -> tuple[float, float]:
    start, end = _epoch(given["StartTime"]), _epoch(given["EndTime"])
    if start >= end:
        raise _invalid("The parameter StartTime must be less than the parameter EndTime.")
    return start, end


class MetricsApi:
    """Answers from the store."""

    def __init__(self, store: MetricStore):
        self._store = store

    def operations(self) -> dict[tuple[str, str], Handler]:
        return {
            ("cloudwatch", "PutMetricData"): self._put,
            ("cloudwatch", "ListMetrics"): self._list,
            ("cloudwatch", "GetMetricStatistics"): self._statistics,
            ("cloudwatch", "GetMetricData"): self._data,
        }

    def _put(self, context: Context, given: dict[str, Any]) -> dict[str, Any]:
        rows = [self._row(given["Namespace"], one, n) for n, one in enumerate(_data(given), 1)]
        for row in rows:
            self._store.put(context.region, **row)
        return {}

    @staticmethod
    def _row(namespace: str, one: dict[str, Any], number: int) -> dict[str, Any]:
        where = f"MetricData.member.{number}"
        if not one.get("MetricName"):
            raise ApiError("MissingParameter", f"The parameter {where}.MetricName is required.")
        now = time.time()
        at = _epoch(one["Timestamp"]) if one.get("Timestamp") is not None else now
        if not now - _OLDEST <= at <= now + _NEWEST:
            raise _invalid(
                f"The parameter {where}.Timestamp must be within the last two weeks and at most "
                "two hours ahead."
            )
        kinds = [key for key in ("Value", "Values", "StatisticValues") if one.get(key) is not None]
        if len(kinds) != 1:
            raise ApiError(
                "InvalidParameterCombination" if kinds else "MissingParameter",
                f"{where} must have exactly one of Value, Values and StatisticValues.",
            )
        values, counts = one.get("Values") or [], one.get("Counts") or []
        if one.get("Value") is not None:
            values, counts = [one["Value"]], []
        if counts and len(counts) != len(values):
            raise _invalid(f"The parameters {where}.Values and {where}.Counts must be as long.")
        if any(not math.isfinite(value) for value in values):
            raise _invalid(f"The parameter {where} has a value that is no finite number.")
        if one.get("StorageResolution", 60) not in (1, 60):
            raise _invalid(f"The parameter {where}.StorageResolution must be 1 or 60.")
        pairs = tuple(sorted((d["Name"], d["Value"]) for d in one.get("Dimensions") or []))
        row: dict[str, Any] = {
            "metric": Metric(namespace, one["MetricName"], pairs),
            "unit": one.get("Unit") or "None",
            "at": at,
            "values": list(zip(values, counts or [1.0] * len(values), strict=True)),
        }
        if found := one.get("StatisticValues"):
            row["statistics"] = tuple(
                found[key] for key in ("SampleCount", "Sum", "Minimum", "Maximum")
            )
        return row

    def _list(self, context: Context, given: dict[str, Any]) -> dict[str, Any]:
        asked = [(one["Name"], one.get("Value")) for one in given.get("Dimensions") or []]

        def fits(metric: Metric) -> bool:
            have = dict(metric.dimensions)
            return (
                given.get("Namespace") in (None, metric.namespace)
                and given.get("MetricName") in (None, metric.name)
                and all(name in have and value in (None, have[name]) for name, value in asked)
            )

        found = [one for one in self._store.metrics(context.region) if fits(one)]
        token = given.get("NextToken") or "0"
        if not token.isdigit():
            raise _invalid("Request parameter NextToken is invalid")
        begin = int(token)
        page = found[begin : begin + _PAGE]
        shown: dict[str, Any] = {
            "Metrics": [
                {
                    "Namespace": one.namespace,
                    "MetricName": one.name,
                    "Dimensions": [{"Name": n, "Value": v} for n, v in one.dimensions],
                }
                for one in page
            ]
        }
        if begin + _PAGE < len(found):
            shown["NextToken"] = str(begin + _PAGE)
        return shown

    def _statistics(self, context: Context, given: dict[str, Any]) -> dict[str, Any]:
        plain, extended = given.get("Statistics") or [], given.get("ExtendedStatistics") or []
        if not plain and not extended:
            raise ApiError(
                "InvalidParameterCombination",
                "Must specify either Statistics or ExtendedStatistics",
            )
        for name in (*plain, *extended):
            check_statistic(name)
        period = given["Period"]
        check_period(period)
        start, end = _range(given)
        first = int(start // min(period, 60) * min(period, 60))
        starts = range(first, math.ceil(min(end, time.time() + _NEWEST)), period)
        if len(starts) > _MOST_STATISTICS:
            raise ApiError(
                "InvalidParameterCombination",
                f"You have requested up to {len(starts)} datapoints, which exceeds the limit of "
                f"{_MOST_STATISTICS}. Ask for a longer Period or a shorter time.",
            )
        metric, rows = metric_of(given), []
        for unit in self._store.units(context.region, metric):
            if given.get("Unit") not in (None, unit):
                continue
            found = self._store.windows(context.region, metric, starts, period, unit)
            for at, sample in zip(starts, found, strict=True):
                if sample:
                    row = {"Timestamp": _at(at), "Unit": unit}
                    row |= {name: sample.statistic(name) for name in plain}
                    told = {name: sample.statistic(name) for name in extended}
                    if told := {key: value for key, value in told.items() if value is not None}:
                        row["ExtendedStatistics"] = told
                    rows.append(row)
        return {"Label": given["MetricName"], "Datapoints": rows}

    def _data(self, context: Context, given: dict[str, Any]) -> dict[str, Any]:
        queries = given.get("MetricDataQueries") or []
        check(queries)
        start, end = _range(given)
        end = min(end, time.time() + _NEWEST)

        def grid(length: int) -> list[int]:
            made = range(int(start // length) * length, math.ceil(end), length)
            if len(made) > _MOST_POINTS:
                raise _invalid(
                    f"{len(made)} datapoints were asked for; the limit is {_MOST_POINTS}. Ask "
                    "for a longer Period or a shorter time."
                )
            return list(made)

        results = Resolver(self._store, context.region, lambda period: period, grid).all(queries)
        newest_first = given.get("ScanBy", "TimestampDescending") == "TimestampDescending"
        rows = []
        for query in queries:
            if not query.get("ReturnData", True):
                continue
            made = results[query["Id"]]
            lines = made if isinstance(made, list) else [made]
            for line in lines:
                if not isinstance(line, Line):
                    raise refuse(query["Expression"], "it must return a time series, not a number")
                moments = sorted(line.points, reverse=newest_first)
                rows.append(
                    {
                        "Id": query["Id"],
                        "Label": _label(query),
                        "Timestamps": [_at(at) for at in moments],
                        "Values": [line.points[at] for at in moments],
                        "StatusCode": "Complete",
                    }
                )
        return {"MetricDataResults": rows, "Messages": []}


def _label(query: dict[str, Any]) -> str:
    stat = query.get("MetricStat")
    return query.get("Label") or (stat["Metric"]["MetricName"] if stat else query["Id"])


def _data(given: dict[str, Any]) -> list[dict[str, Any]]:
    """MetricData, and what comes with entities."""
    entities = given.get("EntityMetricData") or []
    return [*(given.get("MetricData") or []), *(d for e in entities for d in e["MetricData"])]
