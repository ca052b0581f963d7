"""Which leases a worker should take next: what nobody has, then one of who has too many."""

import math
from collections import Counter
from collections.abc import Callable, Mapping

from consumer.leases import END, Lease


class Watch:
    """Whose signs of life have stopped, by this machine's clock alone."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._seen: dict[str, tuple[int, int, float]] = {}

    def silent(self, leases: Mapping[str, Lease]) -> set[str]:
        """Shards that have no owner, or whose owner's counter stood still for the whole time."""
        now, found = self._clock(), set()
        for shard, lease in leases.items():
            fence, counter, since = self._seen.get(shard, (-1, -1, now))
            if (fence, counter) != (lease.fence, lease.counter):
                since = now
                self._seen[shard] = (lease.fence, lease.counter, now)
            if lease.owner is None or now - since >= self._seconds:
                found.add(shard)
        return found


def wanted(leases: Mapping[str, Lease], silent: set[str], me: str, held: set[str]) -> list[Lease]:
    """The leases to take now, in order; at most one of them is taken from who is alive.

    A shard waits until its parents are read to their end, so that a key's order holds when
    shards are split and merged. A parent without a lease has left the stream, records and all.
    """
    ready = {
        shard: lease
        for shard, lease in leases.items()
        if lease.checkpoint != END
        and all(
            parent not in leases or leases[parent].checkpoint == END for parent in lease.parents
        )
    }
    owners = Counter(
        lease.owner
        for shard, lease in ready.items()
        if shard not in silent and lease.owner and lease.owner != me
    )
    fair = math.ceil(len(ready) / (len(owners) + 1)) if ready else 0
    room = fair - len(held)
    if room <= 0:
        return []
    free = sorted(shard for shard in ready if shard in silent and shard not in held)
    if free:
        return [ready[shard] for shard in free[:room]]
    if not owners:
        return []
    most, count = max(owners.items(), key=lambda item: (item[1], item[0]))
    if count <= len(held) + 1:
        return []
    return [min((lease for lease in ready.values() if lease.owner == most), key=lambda x: x.shard)]
