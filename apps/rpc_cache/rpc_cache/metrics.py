"""Who asks for what, and what of it reaches the nodes: in CloudWatch's embedded metric format.

CloudWatch makes metrics of them in the namespace Drydock/RpcCache, with the dimensions {Service},
{Service, Method} and {Service, Caller}. Each different dimension is paid for, so methods are those
that Solana knows, and a caller has metrics of its own only while it takes a share of the nodes.
"""

import random
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from rpc_cache import logs
from rpc_cache.errors import NodesAway

NAMESPACE = "Drydock/RpcCache"
# Of the nodes' time, from which on a caller is named; twenty have that at most.
_SHARE = 0.05
_SAMPLES = 100  # As many values as a metric may have in one line.


@dataclass
class Tally:
    """Counts of one interval.

    Attributes:
        calls: all that were asked for. hits: answered without the nodes.
        node_calls, node_errors, node_ms: asked of the nodes, unanswered by them, their time.
        limited: refused.
    """

    calls: int = 0
    hits: int = 0
    node_calls: int = 0
    node_errors: int = 0
    node_ms: float = 0.0
    limited: int = 0
    latencies: list[float] = field(default_factory=list)

    def shown(self) -> dict[str, tuple[str, Any]]:
        """Metric name to unit and value."""
        return {
            "Calls": ("Count", self.calls),
            "Hits": ("Count", self.hits),
            "NodeCalls": ("Count", self.node_calls),
            "NodeErrors": ("Count", self.node_errors),
            "NodeTime": ("Milliseconds", round(self.node_ms, 1)),
            "Limited": ("Count", self.limited),
        }


class Metrics:
    """What came in since the last line."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._log = logs.get(component="metrics")
        self._clear()

    def _clear(self) -> None:
        self._all = Tally()
        self._methods: dict[str, Tally] = defaultdict(Tally)
        self._callers: dict[str, Tally] = defaultdict(Tally)
        self._asked: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))

    def _each(self, method: str, caller: str) -> tuple[Tally, Tally, Tally]:
        return self._all, self._methods[method], self._callers[caller]

    def called(self, method: str, caller: str, hit: bool) -> None:
        """A call was answered, out of the cache or not."""
        for tally in self._each(method, caller):
            tally.calls += 1
            tally.hits += hit

    def limited(self, method: str, caller: str) -> None:
        """A call was refused."""
        for tally in self._each(method, caller):
            tally.calls += 1
            tally.limited += 1

    def asked(self, method: str, caller: str, seconds: float, away: NodesAway | None) -> None:
        """The nodes were asked, for so long."""
        for tally in self._each(method, caller):
            tally.node_calls += 1
            tally.node_errors += away is not None
            tally.node_ms += seconds * 1000
        self._asked[caller][method] += 1
        if away is not None and not away.late:
            return  # Nobody was there to be slow.
        kept = self._all.latencies
        if len(kept) < _SAMPLES:
            kept.append(seconds * 1000)
        else:
            # Each of the interval's calls has the same chance to be among the samples.
            place = random.randrange(self._all.node_calls)  # noqa: S311 - a sample, no secret
            if place < _SAMPLES:
                kept[place] = seconds * 1000

    def flush(self) -> None:
        """Write the lines of the interval and begin the next."""
        everything, methods, callers, asked = self._all, self._methods, self._callers, self._asked
        self._clear()
        if not everything.calls and not everything.node_calls:
            return
        samples = [round(value, 2) for value in everything.latencies]
        shown = everything.shown()
        if samples:
            shown["NodeLatency"] = ("Milliseconds", samples)
        self._line({}, shown)
        for method, tally in methods.items():
            self._line({"Method": method}, tally.shown())
        for caller, tally in callers.items():
            # Who is refused is named too, or a limit would hide the one that it is for.
            if tally.node_ms >= _SHARE * everything.node_ms or (
                tally.limited >= _SHARE * everything.calls and tally.limited
            ):
                self._line({"Caller": caller}, tally.shown(), asked_for=dict(asked[caller]))

    def _line(
        self, dimensions: dict[str, str], shown: dict[str, tuple[str, Any]], **more: Any
    ) -> None:
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
            **more,
        )
