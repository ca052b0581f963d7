"""A container's health check, as ECS runs it."""

import time
from collections.abc import Callable, Sequence
from typing import Any


class Probe:
    """A container's health check; defaults as in the API reference, HealthCheck."""

    def __init__(self, check: dict[str, Any] | None):
        words = (check or {}).get("command") or ["NONE"]
        self._command = ["/bin/sh", "-c", *words[1:]] if words[0] == "CMD-SHELL" else words[1:]
        check = check or {}
        self._interval = check.get("interval") or 30
        self._timeout = check.get("timeout") or 5
        self._retries = check.get("retries") or 3
        self._spared = time.monotonic() + (check.get("startPeriod") or 0)
        self._next = time.monotonic()
        self._failures, self._begun = 0, False

    def due(self, execute: Callable[[Sequence[str], float], int]) -> str | None:
        """Probes when it is time to; HEALTHY or UNHEALTHY when that says so.

        Args:
            execute: runs a command in the container for so many seconds at most; its exit code.
        """
        if not self._command or time.monotonic() < self._next:
            return None
        well = execute(self._command, self._timeout) == 0
        self._next = time.monotonic() + self._interval
        if well:
            self._failures, self._begun = 0, True
            return "HEALTHY"
        if not self._begun and time.monotonic() < self._spared:
            return None
        self._failures += 1
        return "UNHEALTHY" if self._failures >= self._retries else None
