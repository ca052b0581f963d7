"""Optimistic concurrency: an order's version is its ETag, and a change names the one it saw."""

import re
from typing import Annotated

from fastapi import Header, Request

from trading_api.errors import ApiError

_TAG = r'(?:W/)?"[\x21\x23-\x7e]*"'
_TAGS = re.compile(rf"\*|{_TAG}(?:[ \t]*,[ \t]*{_TAG})*")

IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=200,
        description="The `ETag` that the order was read with; `*` for whichever it has now.",
        examples=['"1"'],
    ),
]


def tag(version: int) -> str:
    """The ETag of a version."""
    return f'"{version}"'


def is_current(request: Request, version: int) -> bool:
    """Whether If-None-Match names that version."""
    # Plainly: request.headers costs more than all else here.
    given = (value for name, value in request.scope["headers"] if name == b"if-none-match")
    return tag(version).encode() in next(given, b"")


def expected(if_match: str | None) -> list[int] | None:
    """The versions that the change may be made to; None for any.

    Raises 428 without the header and 400 if it is malformed.
    """
    if if_match is None:
        raise ApiError(
            428,
            "precondition_required",
            "Send If-Match with the ETag that the order was read with, so that no change "
            "of someone else is lost.",
        )
    given = if_match.strip()
    if not _TAGS.fullmatch(given):
        raise ApiError(400, "invalid_if_match", 'If-Match: send an ETag such as "1", or *.')
    if given == "*":
        return None
    # A weak tag never matches here (RFC 9110, 13.1.1), nor one that this service didn't give.
    numbers = re.findall(r'(?<!W/)"([1-9][0-9]{0,8})"', given)
    return [int(number) for number in numbers]


def changed(order_id: object, version: int) -> ApiError:
    """412: the order isn't any more as the caller saw it."""
    return ApiError(
        412,
        "order_changed",
        f"Order {order_id} is at version {version} now. Read it again and decide anew.",
        {"ETag": tag(version)},
    )
