"""Metrics made of log lines: metric filters, and the embedded metric format."""

import json
import logging
from collections.abc import Iterable, Sequence
from typing import Any

from drydock.controllers.cloudwatch.store import Metric, MetricStore
from drydock.errors import ApiError
from drydock.log_patterns import compiled, number, select
from drydock.moto import logs

log = logging.getLogger("drydock.cloudwatch")
Lines = Sequence[tuple[int, str]]  # milliseconds since 1970, message


def read(store: MetricStore, batches: Iterable[tuple[str, str, Lines]]) -> None:
    """Makes metrics of lines as :func:`drydock.moto.logs.take_heard` returns them."""
    for region, group, lines in batches:
        for at, text in lines:
            if '"CloudWatchMetrics"' in text:
                _embedded(store, region, at, text)
        for given in logs.metric_filters(region, group):
            _filter(store, region, given, lines)


def _filter(store: MetricStore, region: str, given: dict[str, Any], lines: Lines) -> None:
    try:
        pattern = compiled(given["filterPattern"])
    except ApiError as error:
        log.warning("metric filter %s: %s", given["filterName"], error)
        return
    made = given["metricTransformations"][0]
    namespace, name = made["metricNamespace"], made["metricName"]
    unit, wanted = made.get("unit") or "None", made["metricValue"]
    matched = False
    for at, text in lines:
        look = pattern.read(text)
        if look is None:
            continue
        matched = True
        value = number(look(wanted) if wanted.startswith("$") else wanted)
        dimensions = {key: look(field) for key, field in (made.get("dimensions") or {}).items()}
        # AWS reports nothing when the value is no number or a dimension's field is not there.
        if value is None or not all(isinstance(v, str | int | float) for v in dimensions.values()):
            continue
        pairs = tuple(sorted((key, str(field)) for key, field in dimensions.items()))
        store.put(region, Metric(namespace, name, pairs), unit, at / 1000, [(value, 1.0)])
    if not matched and made.get("defaultValue") is not None:
        default = [(float(made["defaultValue"]), 1.0)]
        store.put(region, Metric(namespace, name, ()), unit, lines[-1][0] / 1000, default)


def _embedded(store: MetricStore, region: str, at: int, text: str) -> None:
    """CloudWatch's embedded metric format: a JSON line that says which of its fields are metrics.

    As AWS does, a line that does not keep to the format is a log line and no more.
    """
    try:
        event = json.loads(text)
        head = event["_aws"]
        moment = float(head.get("Timestamp", at)) / 1000
        for directive in head["CloudWatchMetrics"]:
            sets = directive.get("Dimensions") or [[]]
            for metric in directive.get("Metrics") or []:
                found = select(event, f'$["{metric["Name"]}"]')
                values = [number(v) for v in (found if isinstance(found, list) else [found])]
                pairs = [(value, 1.0) for value in values if value is not None]
                for names in sets if pairs else []:
                    dimensions = tuple(sorted((name, str(event[name])) for name in names))
                    key = Metric(directive["Namespace"], metric["Name"], dimensions)
                    store.put(region, key, metric.get("Unit", "None"), moment, pairs)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        log.debug("a line is not in embedded metric format: %r", error)
