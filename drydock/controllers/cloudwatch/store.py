"""Values of every metric: a second's worth together for an hour, then a minute's for six hours."""

import math
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from drydock.metrics import Datum

FINE_SECONDS, COARSE_SECONDS = 3_600, 6 * 3_600
# Distinct values that are kept exactly in one second; more are rounded to steps of 2 %.
_EXACT = 100
_STEP = math.log(1.02)

Dimensions = tuple[tuple[str, str], ...]


def _rounded(value: float) -> float:
    if value == 0:
        return 0.0
    return math.copysign(math.exp(round(math.log(abs(value)) / _STEP) * _STEP), value)


class Sample:
    """Values taken together. What AWS calls a statistic set, with enough for percentiles."""

    __slots__ = ("_rounding", "_values", "blind", "count", "high", "low", "total")

    def __init__(self) -> None:
        self.count = self.total = 0.0
        self.low, self.high = math.inf, -math.inf
        # None while all values are the same; else value → how often.
        self._values: dict[float, float] | None = None
        self._rounding = False
        # Parts came as finished statistics: no percentile can be told.
        self.blind = False

    def add(self, value: float, count: float = 1.0) -> None:
        """Takes a value in that was measured ``count`` times."""
        if self._values is not None or (self.count and not self.low == self.high == value):
            self._spread(((value, count),))
        self._widen(count, value * count, value, value)

    def add_set(self, count: float, total: float, low: float, high: float) -> None:
        """Takes in a statistic set, whose single values nobody knows."""
        if low == high:
            self.add(low, count)
            return
        self.blind = True
        self._widen(count, total, low, high)

    def merge(self, other: "Sample") -> None:
        """Takes all of another sample in."""
        if not (self._values is None and other._values is None and (
            not self.count or self.low == other.low
        )):  # fmt: skip
            self._spread(other._pairs(), rounded=other._rounding)
        self.blind |= other.blind
        self._widen(other.count, other.total, other.low, other.high)

    def _widen(self, count: float, total: float, low: float, high: float) -> None:
        self.count += count
        self.total += total
        self.low, self.high = min(self.low, low), max(self.high, high)

    def _pairs(self) -> Iterable[tuple[float, float]]:
        return ((self.low, self.count),) if self._values is None else self._values.items()

    def _spread(self, pairs: Iterable[tuple[float, float]], rounded: bool = False) -> None:
        if self._values is None:
            self._values = {self.low: self.count} if self.count else {}
        values = self._values
        for value, count in pairs:
            key = _rounded(value) if self._rounding and not rounded else value
            values[key] = values.get(key, 0.0) + count
        if not self._rounding and len(values) > _EXACT:
            self._rounding, self._values = True, {}
            self._spread(values.items())

    def statistic(self, name: str) -> float | None:
        """``Sum``, ``Average``, … or a percentile ``p99.9``; None when it can't be told."""
        match name:
            case "SampleCount":
                return self.count
            case "Sum":
                return self.total
            case "Average":
                return self.total / self.count
            case "Minimum":
                return self.low
            case "Maximum":
                return self.high
        return None if self.blind else self._percentile(float(name[1:]))

    def _percentile(self, percent: float) -> float:
        """The smallest value that so many percent of all values do not exceed."""
        needed, seen = self.count * percent / 100, 0.0
        for value, count in sorted(self._pairs()):
            seen += count
            if seen >= needed - 1e-9:
                return min(max(value, self.low), self.high)
        return self.high


@dataclass(frozen=True, order=True)
class Metric:
    """What names a metric within a region."""

    namespace: str
    name: str
    dimensions: Dimensions


@dataclass
class _Series:
    """One metric in one unit: start of a second or of a minute → its values."""

    fine: dict[int, Sample] = field(default_factory=dict)
    coarse: dict[int, Sample] = field(default_factory=dict)

    def sample(self, at: float) -> Sample:
        return self.fine.setdefault(int(at), Sample())

    def gather(self, into: Sample, start: int, end: int) -> None:
        if self.coarse and start < next(iter(self.fine), end):
            for minute in range(start - start % 60, end, 60):
                if minute >= start and (found := self.coarse.get(minute)):
                    into.merge(found)
        if len(self.fine) < end - start:
            for second in [one for one in self.fine if start <= one < end]:
                into.merge(self.fine[second])
        else:
            for second in range(start, end):
                if found := self.fine.get(second):
                    into.merge(found)

    def age(self, now: float) -> None:
        """Puts old seconds together and forgets old minutes.

        Seconds lie nearly in order; one that came late waits for those before it.
        """
        while self.fine and (first := next(iter(self.fine))) < now - FINE_SECONDS:
            self.coarse.setdefault(first - first % 60, Sample()).merge(self.fine.pop(first))
        while self.coarse and (first := next(iter(self.coarse))) < now - COARSE_SECONDS:
            del self.coarse[first]


class MetricStore:
    """Metrics of all regions; safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # region → metric → unit → series
        self._kept: dict[str, dict[Metric, dict[str, _Series]]] = {}

    def _series(self, region: str, metric: Metric, unit: str) -> _Series:
        units = self._kept.setdefault(region, {}).setdefault(metric, {})
        return units.setdefault(unit, _Series())

    def take(self, data: Iterable[Datum]) -> None:
        """Keeps what was measured."""
        with self._lock:
            for datum in data:
                metric = Metric(datum.namespace, datum.name, datum.dimensions)
                sample = self._series(datum.region, metric, datum.unit).sample(datum.at)
                for value in datum.values:
                    sample.add(value)

    def put(
        self,
        region: str,
        metric: Metric,
        unit: str,
        at: float,
        values: Iterable[tuple[float, float]] = (),
        statistics: tuple[float, float, float, float] | None = None,
    ) -> None:
        """Keeps (value, count) pairs, or a statistic set (count, sum, minimum, maximum)."""
        with self._lock:
            sample = self._series(region, metric, unit).sample(at)
            for value, count in values:
                sample.add(value, count)
            if statistics:
                sample.add_set(*statistics)

    def metrics(self, region: str) -> list[Metric]:
        """Every metric that has values, sorted."""
        with self._lock:
            return sorted(self._kept.get(region, {}))

    def units(self, region: str, metric: Metric) -> list[str]:
        with self._lock:
            return sorted(self._kept.get(region, {}).get(metric, {}))

    def windows(
        self, region: str, metric: Metric, starts: Sequence[int], seconds: int, unit: str | None
    ) -> list[Sample | None]:
        """What was measured in each window of so many seconds; None where nothing was.

        Args:
            unit: only values in this unit; None for those in any.
        """
        with self._lock:
            units = self._kept.get(region, {}).get(metric, {})
            chosen = [one for name, one in units.items() if unit in (None, name)]
            found: list[Sample | None] = []
            for start in starts:
                sample = Sample()
                for series in chosen:
                    series.gather(sample, start, start + seconds)
                found.append(sample if sample.count else None)
            return found

    def age(self, now: float) -> None:
        """Puts old values together and forgets the oldest; asked for once a minute."""
        for region in list(self._kept):
            for metric in list(self._kept[region]):
                # The lock is let go between metrics: readers need not wait for all.
                with self._lock:
                    units = self._kept[region][metric]
                    for unit, series in list(units.items()):
                        series.age(now)
                        if not series.fine and not series.coarse:
                            del units[unit]
                    if not units:
                        del self._kept[region][metric]
