"""What controllers measure, on its way to CloudWatch."""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Datum:
    """Values of one metric at one moment.

    Attributes:
        dimensions: (name, value) pairs, sorted by name.
        values: in ``unit``, in the order they were measured.
        at: seconds since the epoch.
    """

    region: str
    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    values: tuple[float, ...]
    unit: str
    at: float


@dataclass
class Metrics:
    """A queue from every controller to the one that keeps the metrics; safe between threads."""

    _waiting: deque[Datum] = field(default_factory=lambda: deque(maxlen=200_000))

    def put(
        self,
        region: str,
        namespace: str,
        name: str,
        dimensions: Mapping[str, str],
        values: float | Sequence[float],
        unit: str = "None",
        at: float | None = None,
    ) -> None:
        """Hands over one value or several, measured now or at ``at`` (epoch seconds)."""
        made = (values,) if isinstance(values, int | float) else tuple(values)
        if made:
            pairs = tuple(sorted(dimensions.items()))
            moment = time.time() if at is None else at
            self._waiting.append(Datum(region, namespace, name, pairs, made, unit, moment))

    def take(self) -> list[Datum]:
        """Everything handed over since the last call."""
        taken = []
        while self._waiting:
            taken.append(self._waiting.popleft())
        return taken
