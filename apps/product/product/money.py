"""Prices: exact decimals with two places, written as strings."""

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_PATTERN = r"[0-9]{1,10}(\.[0-9]{1,2})?"


def _exact(value: Any) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f'send it as a string, "{value}": a JSON number can lose digits')
    if not isinstance(value, str) or not re.fullmatch(_PATTERN, value):
        raise ValueError(
            'it must be a decimal string such as "48.00", '
            "at most 10 digits before the point and 2 after it"
        )
    number = Decimal(value)
    if number <= 0:
        raise ValueError("it must be more than 0")
    return number


Price = Annotated[
    Decimal,
    BeforeValidator(_exact),
    PlainSerializer(lambda value: f"{value:.2f}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{_PATTERN}$", "examples": ["48.00"]}),
]
