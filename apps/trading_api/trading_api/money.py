"""Prices and quantities: exact decimals, written as strings."""

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_PATTERN = r"[0-9]{1,12}(\.[0-9]{1,8})?"


def plain(value: Decimal) -> str:
    """Digits without exponent or trailing zeros: Decimal("100.50000000") is "100.5"."""
    # Not normalize(): that rounds to the 28 digits of the context, and a sum may have more.
    digits = format(value, "f")
    return (digits.rstrip("0").rstrip(".") or "0") if "." in digits else digits


def off_grid(value: Decimal, step: Decimal) -> bool:
    """Whether `value` isn't a whole number of `step`s."""
    return value % step != 0


def _exact(value: Any) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f'send it as a string, "{value}": a JSON number can lose digits')
    if not isinstance(value, str) or not re.fullmatch(_PATTERN, value):
        raise ValueError(
            'it must be a decimal string such as "101.25", '
            "at most 12 digits before the point and 8 after it"
        )
    number = Decimal(value)
    if number <= 0:
        raise ValueError("it must be more than 0")
    return number


Amount = Annotated[
    Decimal,
    BeforeValidator(_exact),
    PlainSerializer(plain, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{_PATTERN}$", "examples": ["101.25"]}),
]

# What is only ever told: a sum of amounts or of their products, of either sign.
Total = Annotated[
    Decimal,
    PlainSerializer(plain, return_type=str),
    WithJsonSchema(
        {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "examples": ["-2025.5"]}
    ),
]
