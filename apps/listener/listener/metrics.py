"""What came, what went, what waits: in CloudWatch's embedded metric format.

Namespace Drydock/Listener, dimensions {Service} and {Service, Account}.
"""

import time
from collections import Counter
from typing import Any

from listener import logs

NAMESPACE = "Drydock/Listener"
# Of {Service}; a listener on standby tells zeros.
COUNTS = ("Published", "Paged", "Gaps", "Reconnects", "PublishErrors")


class Metrics:
    """Counts since the last lines, and what waits now.

    Attributes:
        counts: by the names of COUNTS. accounts: published, by key.
        backlog: events that wait. slot: the newest that was heard of.
    """

    def __init__(self, service: str) -> None:
        self._service = service
        self._log = logs.get(component="metrics")
        self.counts: Counter[str] = Counter()
        self.accounts: Counter[str] = Counter()
        self.backlog = self.slot = 0
        self.active = False

    def flush(self) -> None:
        """Write the lines of the interval and begin the next."""
        counts, accounts = self.counts, self.accounts
        self.counts, self.accounts = Counter(), Counter()
        shown = {name: ("Count", counts[name]) for name in COUNTS}
        shown["Backlog"] = ("Count", self.backlog)
        shown["Active"] = ("Count", int(self.active))
        self._line({}, shown)
        for account, published in accounts.items():
            self._line({"Account": account}, {"Published": ("Count", published)})

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
            Slot=self.slot,
            **dimensions,
            **{name: value for name, (_, value) in shown.items()},
        )
