"""Metric data queries: what GetMetricData and alarms on metric math are made of."""

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from drydock.controllers.cloudwatch import expressions
from drydock.controllers.cloudwatch.expressions import Line, Value
from drydock.controllers.cloudwatch.store import Metric, MetricStore
from drydock.moto.cloudwatch import check_period, refuse

STATISTICS = ("SampleCount", "Sum", "Average", "Minimum", "Maximum")
_PERCENTILE = re.compile(r"p(100|\d{1,2}(\.\d{1,10})?)")
_ID = re.compile(r"[a-z][a-zA-Z0-9_]*")

parsed = functools.lru_cache(maxsize=1_000)(expressions.parse)


def check_statistic(name: str) -> None:
    """Refuses what is neither a plain statistic nor a percentile."""
    if name not in STATISTICS and not _PERCENTILE.fullmatch(name):
        raise refuse(
            f"Statistic {name} is refused: the embedded cloud knows {', '.join(STATISTICS)} and "
            "percentiles p0 to p100."
        )


def metric_of(given: Mapping[str, Any]) -> Metric:
    """Names the metric in a call's Namespace, MetricName and Dimensions."""
    pairs = tuple(sorted((one["Name"], one["Value"]) for one in given.get("Dimensions") or []))
    return Metric(given["Namespace"], given["MetricName"], pairs)


def check(queries: Sequence[Mapping[str, Any]]) -> None:
    """Refuses queries that could never be answered.

    Raises:
        ApiError: names the id or the expression and the reason.
    """
    known = {query["Id"] for query in queries}
    if len(known) < len(queries):
        raise refuse("The ids of metric data queries must be unique.")
    for query in queries:
        if not _ID.fullmatch(query["Id"]):
            raise refuse(
                f"Id {query['Id']} is refused: begin with a small letter; then letters, digits, _."
            )
        if bool(query.get("Expression")) == bool(query.get("MetricStat")):
            raise refuse(f"{query['Id']} must have either Expression or MetricStat.")
        if text := query.get("Expression"):
            for name in expressions.names(parsed(text)) - known:
                raise expressions.refuse(text, f"there is no metric or expression '{name}'")
        else:
            check_period(query["MetricStat"].get("Period"))
            check_statistic(query["MetricStat"]["Stat"])


class Resolver:
    """Answers queries over one set of windows.

    Args:
        length: real seconds of a window that stands for so many of AWS's.
        grid: the starts of the windows of so many real seconds.
    """

    def __init__(
        self,
        store: MetricStore,
        region: str,
        length: Callable[[int], int],
        grid: Callable[[int], Sequence[int]],
    ):
        self._store, self._region = store, region
        self._length = length
        self._grid = functools.lru_cache(maxsize=16)(grid)
        # Start of a window → values behind its point, of the metric that was asked for last.
        self.counts: dict[int, float] = {}

    def line(self, metric: Metric, period: int, statistic: str, unit: str | None) -> Line:
        """One statistic of one metric."""
        seconds = self._length(period)
        starts = self._grid(seconds)
        points, self.counts = {}, {}
        found = self._store.windows(self._region, metric, starts, seconds, unit)
        for start, sample in zip(starts, found, strict=True):
            if sample and (value := sample.statistic(statistic)) is not None:
                points[start] = value
                self.counts[start] = sample.count
        return Line(seconds, points, measured=True)

    def all(self, queries: Sequence[Mapping[str, Any]]) -> dict[str, Value]:
        """Id → result of every query.

        Raises:
            ApiError: an expression fails, or expressions need each other in a circle.
        """
        done: dict[str, Value] = {}
        for query in queries:
            if stat := query.get("MetricStat"):
                metric = metric_of(stat["Metric"])
                line = self.line(metric, stat["Period"], stat["Stat"], stat.get("Unit"))
                done[query["Id"]] = line
        waiting = {query["Id"]: query["Expression"] for query in queries if query["Id"] not in done}
        while waiting:
            ready = {
                name: text
                for name, text in waiting.items()
                if not expressions.names(parsed(text)) & waiting.keys()
            }
            if not ready:
                raise refuse(f"Expressions need each other in a circle: {', '.join(waiting)}.")
            for name, text in ready.items():
                done[name] = expressions.evaluate(text, parsed(text), done, self._grid)
                del waiting[name]
        return done
