"""How far behind, how much, how often it failed: in CloudWatch's embedded metric format.

Namespace Drydock/Consumer, dimensions {Service} (sums, and the worst shard's lag) and
{Service, Shard}. MillisBehindLatest is what Kinesis last said and the time since: a reader that
gets no further falls behind, whatever it heard before. Who holds no lease tells none, so that a
shard without a reader is one without a figure.
"""

import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from consumer import logs

NAMESPACE = "Drydock/Consumer"


@dataclass
class Tally:
    """One shard in one interval; `behind_ms` and `backlog` are its last values.

    Attributes:
        read_at: monotonic seconds at which Kinesis said `behind_ms`, or the reader began.
        applied: events with an effect. duplicates: seen before. rejected: sent to the dead letters.
        retries: tries that failed. backlog: records that were read and not yet dealt with.
    """

    applied: int = 0
    duplicates: int = 0
    rejected: int = 0
    retries: int = 0
    behind_ms: int = 0
    backlog: int = 0
    read_at: float = field(default_factory=lambda: time.monotonic())

    def read(self, behind_ms: int, records: int) -> None:
        """Kinesis has answered."""
        self.behind_ms, self.backlog, self.read_at = behind_ms, records, time.monotonic()

    @property
    def behind(self) -> int:
        """Milliseconds that it may be behind by now."""
        return self.behind_ms + round(1000 * (time.monotonic() - self.read_at))

    def shown(self) -> dict[str, tuple[str, Any]]:
        """Metric name to unit and value, without the lag."""
        tried = self.applied + self.duplicates + self.rejected
        return {
            "Applied": ("Count", self.applied),
            "Duplicates": ("Count", self.duplicates),
            "Rejected": ("Count", self.rejected),
            "Retries": ("Count", self.retries),
            "ErrorRate": ("Percent", round(100 * self.rejected / tried, 2) if tried else 0),
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

    def flush(self, held: bool = True) -> None:
        """Write the lines of the interval and begin the next.

        Args:
            held: whether the shards' leases are known to be this worker's.
        """
        everything, lags = Tally(), []
        for shard, tally in self._shards.items():
            for name in ("applied", "duplicates", "rejected", "retries", "backlog"):
                setattr(everything, name, getattr(everything, name) + getattr(tally, name))
            lags += [tally.behind] if held else []
            self._line({"Shard": shard}, {**tally.shown(), **_lag(lags[-1:])})
            self._shards[shard] = Tally(
                behind_ms=tally.behind_ms, backlog=tally.backlog, read_at=tally.read_at
            )
        shards = {"Shards": ("Count", len(lags))}
        self._line({}, {**everything.shown(), **_lag(lags), **shards})

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


def _lag(milliseconds: list[int]) -> dict[str, tuple[str, Any]]:
    """The worst of them, as a metric; none of none."""
    return {"MillisBehindLatest": ("Milliseconds", max(milliseconds))} if milliseconds else {}
