"""How often callers and methods may reach the nodes, counted for all tasks together.

The generic cell rate algorithm: each name has one moment at which all that was let through would
be spent at its rate; a call that would push it more than a burst ahead of now is refused. Redis
keeps the moments; without Redis each task keeps its own, so that there is a limit all the same.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rpc_cache.errors import Limited

# Seconds' worth of calls that may come at once after a pause.
BURST_SECONDS = 2.0
_NAMES_MAX = 10000

# KEYS: names; ARGV: seconds per call of each, then the burst. Redis's own clock, since tasks'
# differ. All are asked before any is charged. Answers {0}, or {which, seconds to wait}.
_TAKE = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1e6
local burst, ends = tonumber(ARGV[#KEYS + 1]), {}
for i, key in ipairs(KEYS) do
  local each = tonumber(ARGV[i])
  ends[i] = math.max(tonumber(redis.call('GET', key) or now), now) + each
  local wait = ends[i] - now - math.max(burst, each)
  if wait > 1e-6 then return {i, tostring(wait)} end
end
for i, key in ipairs(KEYS) do
  redis.call('SET', key, string.format('%.6f', ends[i]), 'PX',
             math.ceil((ends[i] - now) * 1000) + 1000)
end
return {0}
"""


@dataclass(frozen=True)
class Limit:
    """`rate` calls per second for one name of a kind (caller or method)."""

    kind: str
    name: str
    rate: float


class Limits:
    """Lets calls through to the nodes, or raises Limited."""

    def __init__(
        self, run: Callable[[str, Sequence[str], Sequence[Any]], Awaitable[Any]], prefix: str
    ) -> None:
        """run: runs a script in Redis, (script, keys, arguments); returns None without Redis."""
        self._run = run
        self._prefix = prefix
        self._own: dict[str, float] = {}

    async def take(self, limits: Sequence[Limit]) -> None:
        """Charge one call to each, or to none: raises Limited with the first that is used up."""
        if not limits:
            return
        # With the rate: a limit that was changed doesn't inherit what its old one had spent.
        keys = [f"{self._prefix}limit:{one.kind}:{one.name}:{one.rate:g}" for one in limits]
        each = [1 / one.rate for one in limits]
        answer = await self._run(_TAKE, keys, [*each, BURST_SECONDS])
        if answer is None:
            answer = self._take_alone(keys, each)
        if answer[0]:
            refused = limits[int(answer[0]) - 1]
            raise Limited(refused.kind, refused.name, refused.rate, float(answer[1]))

    def _take_alone(self, keys: Sequence[str], each: Sequence[float]) -> Sequence[Any]:
        now = time.monotonic()
        ends = [
            max(self._own.get(key, now), now) + more for key, more in zip(keys, each, strict=True)
        ]
        for number, (end, more) in enumerate(zip(ends, each, strict=True), 1):
            if (wait := end - now - max(BURST_SECONDS, more)) > 1e-6:
                return number, wait
        if len(self._own) > _NAMES_MAX:
            self._own = {key: end for key, end in self._own.items() if end > now}
        self._own.update(zip(keys, ends, strict=True))
        return (0,)
