"""Figures of a service out of its metrics' series and its tasks' log lines, without I/O."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.drydock.ops.plugins.module_utils.observation import (
    CPU_PERCENT,
    ERROR_SHARE,
    LATENCY_SECONDS,
    Change,
)

Series = Mapping[float, float]
NOW = 3  # periods that "now" is the mean of
_RECENT = 5  # periods in which something was wrong for it to be wrong now
_FAILED = re.compile(r"\b(error|exception|fatal|panic|critical)\b", re.I)


def began(series: Mapping[str, Series], period: int, at: float) -> float | None:
    """Return since when what is wrong now has been wrong, without a longer break than two
    periods; None when nothing is.

    Errors, latency and CPU are followed each for itself, so that what was late for a moment
    before a release is not taken for the beginning of its errors. Nor are errors of a quarter of
    today's share: pooled connections that a failover has cut may fail once each, much later.
    """

    def value(name: str, start: float) -> float:
        return series.get(name, {}).get(start, 0)

    def failed(start: float) -> float:
        asked = value("requests", start) + value("balancer", start)
        return 100 * (value("errors", start) + value("balancer", start)) / asked if asked else 0

    starts = sorted({start for one in series.values() for start in one}, reverse=True)
    most = max((failed(start) for start in starts if at - start <= _RECENT * period), default=0)
    symptoms = (
        [start for start in starts if failed(start) >= max(ERROR_SHARE, most / 4)],
        [start for start in starts if value("latency", start) >= LATENCY_SECONDS],
        [start for start in starts if value("cpu", start) >= CPU_PERCENT],
    )
    found = (_since(wrong, period, at) for wrong in symptoms)
    return min((first for first in found if first is not None), default=None)


def _since(wrong: Sequence[float], period: int, at: float) -> float | None:
    """Return the first of the periods that reach up to now; they come newest first."""
    found = None
    for start in wrong:
        if (at if found is None else found) - start > (_RECENT if found is None else 3) * period:
            break
        found = start
    return found


def _mean(series: Series, start: float, end: float) -> float | None:
    values = [value for at, value in series.items() if start <= at < end]
    return sum(values) / len(values) if values else None


def change(series: Series, period: int, at: float, since: float | None, per: float = 1) -> Change:
    """Return the mean of the last periods with data, and that before it all began."""
    latest = max(series, default=at)
    if at - latest > 5 * period:
        return Change(None, _scaled(_mean(series, 0, at), per))
    now = _mean(series, latest - (NOW - 1) * period, latest + 1)
    edge = (since if since is not None else latest - 5 * period) - 2 * period
    before = _mean(series, edge - 30 * period, edge)
    return Change(_scaled(now, per), _scaled(before, per))


def _scaled(value: float | None, per: float) -> float | None:
    return None if value is None else round(value / per, 4)


def share(series: Mapping[str, Series], start: float, end: float) -> float | None:
    """Return the % of requests answered 5xx in a span; None where none was made."""
    total = {
        name: sum(v for at, v in series.get(name, {}).items() if start <= at < end)
        for name in ("requests", "errors", "balancer")
    }
    asked = total["requests"] + total["balancer"]
    return round(100 * (total["errors"] + total["balancer"]) / asked, 2) if asked else None


def read_lines(messages: Iterable[str]) -> tuple[int, int, Counter[str]]:
    """Return (requests, failed ones, causes counted) of a task's log lines.

    A line of JSON with `status` is a request; its `error` is the cause of a failure. What else
    is logged as a warning or worse is a cause too, with the kind of error that it names; it
    counts only where no request says one.
    """
    requests = failed = 0
    causes: Counter[str] = Counter()
    words: Counter[str] = Counter()
    for message in messages:
        try:
            line = json.loads(message)
        except ValueError:
            line = None
        if not isinstance(line, dict):
            if _FAILED.search(message):
                words[message.strip()[:80]] += 1
        elif isinstance(line.get("status"), int):
            requests += 1
            if line["status"] >= 500:
                failed += 1
                causes[str(line.get("error") or f"http_{line['status']}")] += 1
        elif str(line.get("level", "")).lower() in ("warning", "error", "critical", "fatal"):
            reason = str(line.get("reason") or line.get("message") or "")
            named = re.match(r"[\w.]*(Error|Exception|Unavailable)\b", reason)
            words[": ".join(filter(None, [str(line.get("event", "")), named and named[0]]))] += 1
    return requests, failed, causes or words
