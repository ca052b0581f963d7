"""Log events are filtered for real, and whoever listens hears of them (see drydock.moto.logs).

moto 5.2 matches JSON patterns with everything, keeps a metric filter twice when it is put
twice, and keeps the filters of a group that was deleted.
"""

import time
from typing import Any

from moto.backends import get_backend
from moto.logs import models
from moto.logs.models import LogGroup, LogsBackend, LogStream

from drydock.errors import ApiError
from drydock.log_patterns import Pattern, compiled
from drydock.moto import logs
from drydock.moto.api import PASS, Context, Handler


class _Filter:
    """What moto makes of a pattern for every event; read once, not every time."""

    def __init__(self, text: str | None):
        self._pattern: Pattern = compiled(text or "")

    def matches(self, message: str) -> bool:
        return self._pattern.read(message) is not None


def apply() -> None:
    put, delete, describe = (
        LogStream.put_log_events,
        LogsBackend.delete_log_group,
        LogGroup.to_describe_dict,
    )

    def put_log_events(self: LogStream, log_events: list[dict[str, Any]]) -> str:
        token = put(self, log_events)
        logs.heard(self.region, self.log_group.name, log_events)
        return token

    def delete_log_group(self: LogsBackend, log_group_name: str) -> None:
        delete(self, log_group_name)
        kept = [f for f in self.filters.metric_filters if f["logGroupName"] != log_group_name]
        self.filters.metric_filters[:] = kept

    def to_describe_dict(self: LogGroup) -> dict[str, Any]:
        found = logs.metric_filters(self.region, self.name)
        return {**describe(self), "metricFilterCount": len(found)}

    LogStream.put_log_events = put_log_events
    LogsBackend.delete_log_group = delete_log_group
    LogGroup.to_describe_dict = to_describe_dict
    models.EventMessageFilter = _Filter


def operations() -> dict[tuple[str, str], Handler]:
    return {
        ("logs", "PutMetricFilter"): _put_metric_filter,
        ("logs", "TestMetricFilter"): _test_metric_filter,
        ("logs", "FilterLogEvents"): _check_pattern,
    }


def _check_pattern(_: Context, given: dict[str, Any]) -> dict[str, Any]:
    compiled(given.get("filterPattern") or "")
    return PASS


def _put_metric_filter(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    backend = get_backend("logs")[context.account_id][context.region]
    group, name = given["logGroupName"], given["filterName"]
    if group not in backend.groups:
        raise ApiError("ResourceNotFoundException", f"Log group {group} does not exist.")
    compiled(given["filterPattern"])
    if len(given["metricTransformations"]) != 1:
        raise ApiError("InvalidParameterException", f"{name} must have one metricTransformation.")
    made = given["metricTransformations"][0]
    if made.get("dimensions") and made.get("defaultValue") is not None:
        raise ApiError(
            "InvalidParameterException",
            f"{name} has both dimensions and defaultValue; a default has no dimensions to go to.",
        )
    value = made["metricValue"]
    if not value.startswith("$"):
        try:
            float(value)
        except ValueError:
            raise ApiError(
                "InvalidParameterException",
                f"metricValue {value} of {name} is neither a number nor a field ($.name).",
            ) from None
    row = {
        "filterName": name,
        "filterPattern": given["filterPattern"],
        "logGroupName": group,
        "metricTransformations": given["metricTransformations"],
        "creationTime": int(time.time() * 1000),
    }
    filters = backend.filters.metric_filters
    others = [f for f in filters if (f["logGroupName"], f["filterName"]) != (group, name)]
    filters[:] = [*others, row]
    return {}


def _test_metric_filter(_: Context, given: dict[str, Any]) -> dict[str, Any]:
    pattern = compiled(given["filterPattern"])
    matches = []
    for number, message in enumerate(given["logEventMessages"], 1):
        values = pattern.match(message)
        if values is not None:
            row = {"eventNumber": number, "eventMessage": message, "extractedValues": values}
            matches.append(row)
    return {"matches": matches}
