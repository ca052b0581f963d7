"""What was read and who listens: in CloudWatch's embedded metric format.

Namespace Drydock/MarketData, dimensions {Service}. Who stands by tells no lag.
"""

import time
from dataclasses import dataclass

from market_data import logs

NAMESPACE = "Drydock/MarketData"


@dataclass
class Metrics:
    """Counts since the last line, and what is now.

    Attributes:
        prices: kept. unpriced: events of our markets that tell no price. failures: of reading.
        reading: whether this task reads the stream. behind_ms: of its last read.
        clients: feeds that are open.
    """

    service: str
    prices: int = 0
    unpriced: int = 0
    failures: int = 0
    reading: bool = False
    behind_ms: int = 0
    clients: int = 0

    def flush(self) -> None:
        """Write the line of the interval and begin the next."""
        shown = {
            "Prices": ("Count", self.prices),
            "Unpriced": ("Count", self.unpriced),
            "ReadFailures": ("Count", self.failures),
            "Clients": ("Count", self.clients),
        }
        if self.reading:
            shown["MillisBehindLatest"] = ("Milliseconds", self.behind_ms)
        self.prices = self.unpriced = self.failures = 0
        directive = {
            "Namespace": NAMESPACE,
            "Dimensions": [["Service"]],
            "Metrics": [{"Name": name, "Unit": unit} for name, (unit, _) in shown.items()],
        }
        logs.get(component="metrics").info(
            "metrics",
            _aws={"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]},
            Service=self.service,
            **{name: value for name, (_, value) in shown.items()},
        )
