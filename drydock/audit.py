"""The API calls that were made: a file of lines, written by the gateway and read while it grows."""

from __future__ import annotations

import datetime
import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from drydock.errors import DrydockError

if TYPE_CHECKING:
    # For the gateway alone: every command reads this module, and moto takes half a second.
    from drydock.moto import api


class Audit:
    """An append-only file of the API calls made, one JSON object a line.

    Keys: time (UTC, ISO 8601), service, action, mutating, caller (access key id, client),
    region, status, seconds. No parameters: they may hold secrets.
    """

    def __init__(self, path: Path):
        self._file = path.open("a", buffering=1)
        self._lock = threading.Lock()

    def record(self, call: api.Call, client: str, status: int, seconds: float) -> None:
        row = {
            "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
            "service": call.service,
            "action": call.action,
            "mutating": call.mutating,
            "caller": {"access_key": call.access_key, "client": client},
            "region": call.region,
            "status": status,
            "seconds": round(seconds, 4),
        }
        with self._lock:
            self._file.write(json.dumps(row) + "\n")


def _whole(lines: bytes) -> bytes:
    """Without a last line whose end is not written yet: a write is no single event to readers."""
    return lines[: lines.rfind(b"\n") + 1]


def mark(path: Path) -> int:
    """Where the audit ends now, in bytes into its file; 0 if there is none."""
    return len(_whole(path.read_bytes())) if path.exists() else 0


def read(path: Path, since: int = 0) -> list[dict]:
    """The audit's rows (keys: see Audit) from a mark on.

    Raises:
        DrydockError: the mark lies beyond the file's end.
    """
    size = path.stat().st_size if path.exists() else 0
    if since > size:
        raise DrydockError(
            f"Mark {since} lies beyond the audit's end ({size}); get one with "
            "`python -m drydock audit --mark`."
        )
    if not size:
        return []
    with path.open("rb") as file:
        file.seek(since)
        return [json.loads(line) for line in _whole(file.read()).splitlines()]
