"""Lists by key: a page ends with a cursor that names its last row, and the next begins after it.

So a page costs the same however far back it is, and rows that come in meanwhile neither
repeat nor hide others. A cursor is opaque to clients, and good for one list and its filters.
"""

import base64
import binascii
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar

from fastapi import Query

from trading_api.errors import ApiError

Row = TypeVar("Row")
LIMIT = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MICROSECOND = 253_402_300_799_999_999  # of the year 9999

Limit = Annotated[int, Query(ge=1, le=500, description="Most rows of the page.")]
Cursor = Annotated[
    str | None,
    Query(
        pattern="^[A-Za-z0-9_-]{1,512}$",
        description="`next_cursor` of the page before; none for the first page.",
    ),
]


def cursor_after(of: str, *key: Any) -> str:
    """The cursor behind the row with `key`.

    Args:
        of: name of the list with its filters: only there the cursor will do.
        key: what the list is sorted by; texts, whole numbers or times.
    """
    plain = [_microseconds(part) if isinstance(part, datetime) else str(part) for part in key]
    text = json.dumps([of, *plain], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def key_in(cursor: str | None, of: str, *readers: Callable[[Any], Any]) -> tuple[Any, ...]:
    """The key in `cursor`, a part per reader; all None where there is no cursor.

    Raises 400 for what isn't a cursor of this list; a reader says so by ValueError or TypeError.
    """
    if cursor is None:
        return (None,) * len(readers)
    try:
        name, *parts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if name == of and len(parts) == len(readers):
            return tuple(read(part) for read, part in zip(readers, parts, strict=True))
    except (ValueError, TypeError, RecursionError, binascii.Error):
        pass
    raise ApiError(
        400,
        "invalid_cursor",
        "cursor: it is no cursor of this list with these filters. Begin without one.",
    )


def moment(value: Any) -> datetime:
    """A cursor's time: microseconds since 1970."""
    if type(value) is not int or not 0 <= value <= _LAST_MICROSECOND:
        raise ValueError
    return _EPOCH + timedelta(microseconds=value)


def cut(rows: list[Row], limit: int) -> tuple[list[Row], Row | None]:
    """The page, and its last row if more follow. `rows` were asked for with `limit` + 1."""
    return (rows[:limit], rows[limit - 1]) if len(rows) > limit else (rows, None)


def _microseconds(when: datetime) -> int:
    return (when - _EPOCH) // timedelta(microseconds=1)
