"""What a record of the stream is; apps/consumer reads it, functions/watch_events counts it.

`id`, `source`, `type`, `time` (when it was made) are CloudEvents' names; `id` is the same however
often the event is published; order holds within a `key`.
"""

import datetime
import random
import secrets
import time
from typing import Any

SCHEMA_VERSION = 1
SLOTS = "slots"


def _trace_id() -> str:
    """A new trace as X-Ray wants it: it refuses one whose first 32 bits are not its time."""
    return f"{int(time.time()):08x}{secrets.token_hex(12)}"


def _envelope(id_: str, type_: str, key: str, slot: int, payload: Any, share: float) -> dict:
    sampled = random.random() < share  # noqa: S311 - a sample, no secret
    return {
        "schema_version": SCHEMA_VERSION,
        "id": id_,
        "source": "solana",
        "type": type_,
        "key": key,
        "slot": slot,
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
        "traceparent": f"00-{_trace_id()}-{secrets.token_hex(8)}-0{sampled:d}",
        "payload": payload,
    }


def logs_event(
    account: str, slot: int, signature: str, err: Any, logs: list[str] | None, share: float
) -> dict[str, Any]:
    """A transaction that mentions `account`; `logs` is None where no node has them any more.

    A transaction that mentions two accounts is an event of each, so the id has both.
    """
    payload = {"signature": signature, "err": err, "logs": logs}
    return _envelope(f"{signature}:{account}", "logs", account, slot, payload, share)


def slot_event(slot: int, parent: int, root: int, share: float) -> dict[str, Any]:
    """A slot that a node told of."""
    payload = {"parent": parent, "root": root}
    return _envelope(f"slot:{slot}", "slot", SLOTS, slot, payload, share)
