"""What an event does: how often, how well and at what cost an account was used."""

import re
from dataclasses import dataclass

from consumer.envelope import Envelope, Poison

# What the runtime says of a program: the depth of a call, and what it used, inner calls included.
_DEPTH = re.compile(r"Program \S+ invoke \[(\d+)\]")
_USED = re.compile(r"Program \S+ consumed (\d+) of \d+ compute units")
_ENDED = re.compile(r"Program \S+ (success|failed)")
_MOST = 2**62


@dataclass
class Effect:
    """What some events of one key add to its row of `events.accounts`."""

    events: int = 0
    failed: int = 0
    compute_units: int = 0
    last_slot: int = 0
    last_event: str = ""

    def add(self, event: Envelope) -> None:
        """Adds one more.

        Raises Poison: its payload isn't what its type has.
        """
        units = compute_units(event.payload.get("logs"))
        self.events += 1
        self.failed += event.payload.get("err") is not None
        self.compute_units += units
        self.last_slot = max(self.last_slot, event.slot)
        self.last_event = event.id


def compute_units(logs: object) -> int:
    """Units that a transaction's outermost calls used, out of its log messages; 0 without logs.

    Raises Poison: these are no log messages.
    """
    if logs is None:
        return 0
    if not isinstance(logs, list) or not all(isinstance(line, str) for line in logs):
        raise Poison("invalid: payload.logs is not a list of texts")
    depth = units = 0
    for line in logs:
        if found := _DEPTH.match(line):
            depth = int(found[1])
        elif found := _USED.match(line):
            units += int(found[1]) if depth == 1 else 0
        elif _ENDED.match(line):
            depth = max(0, depth - 1)
    if units > _MOST:
        raise Poison("invalid: payload.logs has more compute units than can be")
    return units
