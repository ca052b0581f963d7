"""How far behind, how much, how often it failed: in CloudWatch's embedded metric format.

Namespace Drydock/Consumer, dimensions {Service} (sums, and the worst shard's lag) and
{Service, Shard}.
"""

import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from consumer import logs

NAMESPACE = "Drydock/Consumer"


@dataclass
class Tally:
    """One shard in one interval; `behind_ms` and `backlog` are its last values.

    Attributes:
        applied: events with an effect. duplicates: seen before. rejected: sent to the dead letters.
        retries: tries that failed. backlog: records that were read and not yet dealt with.
    """

    applied: int = 0
    duplicates: int = 0
    rejected: int = 0
    retries: int = 0
    behind_ms: int = 0
    backlog: int = 0

    def shown(self) -> dict[str, tuple[str, Any]]:
        """Metric name to unit and value."""
        tried = self.applied + self.duplicates + self.rejected
        return {
            "Applied": ("Count", self.applied),
            "Duplicates": ("Count", self.duplicates),
            "Rejected": ("Count", self.rejected),
            "Retries": ("Count", self.retries),
            "ErrorRate": ("Percent", round(100 * self.rejected / tried, 2) if tried else 0),
            "MillisBehindLatest": ("Milliseconds", self.behind_ms),
            "Backlog": ("Count", self.backlog),
        }


class Metrics:
    """What came in since the last lines."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._log = logs.get(component="metrics")
        self._shards: dict[str, Tally] = defaultdict(Tally)

    def of(self, shard: str) -> Tally:
        """The shard's tally of this interval."""
        return self._shards[shard]

    def drop(self, shard: str) -> None:
        """The shard is another worker's now: its lag is no longer told here."""
        if shard in self._shards:
            self._line({"Shard": shard}, self._shards.pop(shard).shown())

    def flush(self) -> None:
        """Write the lines of the interval and begin the next."""
        everything = Tally()
        for shard, tally in self._shards.items():
            for name in ("applied", "duplicates", "rejected", "retries", "backlog"):
                setattr(everything, name, getattr(everything, name) + getattr(tally, name))
            everything.behind_ms = max(everything.behind_ms, tally.behind_ms)
            self._line({"Shard": shard}, tally.shown())
            self._shards[shard] = Tally(behind_ms=tally.behind_ms, backlog=tally.backlog)
        self._line({}, {**everything.shown(), "Shards": ("Count", len(self._shards))})

    def _line(self, dimensions: dict[str, str], shown: dict[str, tuple[str, Any]]) -> None:
        directive = {
            "Namespace": NAMESPACE,
            "Dimensions": [["Service", *dimensions]],
            "Metrics": [{"Name": name, "Unit": unit} for name, (unit, _) in shown.items()],
        }
        self._log.info(
            "metrics",
            _aws={"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]},
            Service=self._service,
            **dimensions,
            **{name: value for name, (_, value) in shown.items()},
        )
