"""What this task did since the last line, in CloudWatch's embedded metric format.

Namespace Drydock/TradingApi, dimension {Service}.
"""

import asyncio
import time
from dataclasses import asdict, dataclass, fields

from trading_api import logs

NAMESPACE = "Drydock/TradingApi"
_NAMES = {
    "memory_hits": "CacheMemoryHits",
    "redis_hits": "CacheRedisHits",
    "misses": "CacheMisses",
    "failures": "CacheFailures",
    "retries": "Retries",
    "shed": "Shed",
    "peak": "PeakRequestsUnderWay",
}


@dataclass
class Counters:
    """Counts of one interval.

    Attributes:
        memory_hits, redis_hits, misses: reads, by who had the answer.
        failures: calls that Redis failed. retries: of database work. shed: requests turned away.
        peak: most requests under way at once.
    """

    memory_hits: int = 0
    redis_hits: int = 0
    misses: int = 0
    failures: int = 0
    retries: int = 0
    shed: int = 0
    peak: int = 0

    def flush(self) -> None:
        """Write the line and begin anew."""
        shown = {_NAMES[name]: value for name, value in asdict(self).items()}
        directive = {
            "Namespace": NAMESPACE,
            "Dimensions": [["Service"]],
            "Metrics": [{"Name": name, "Unit": "Count"} for name in shown],
        }
        logs.get(component="metrics").info(
            "metrics",
            _aws={"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]},
            Service="trading_api",
            **shown,
        )
        for field in fields(self):
            setattr(self, field.name, 0)

    async def report(self, seconds: float) -> None:
        """Flush every so often, without end."""
        while True:
            await asyncio.sleep(seconds)
            self.flush()
