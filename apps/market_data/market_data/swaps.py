"""Prices out of the log messages of swaps in pools of Raydium's AMM v4.

The program logs each swap as `ray_log:` and, in base64, a struct of little-endian numbers (its
source, program/src/log.rs): a byte for the kind, then seven of 64 bits, of which the first is what
came in (kind 3) or at most (4), the second what was to go out at least (3) or went out (4), the
third the direction (1: quote to base, 2: base to quote), the last what went out (3) or came in (4).
"""

import base64
import binascii
import struct
from decimal import Context, Decimal

from market_data.settings import Pool

_LOG = "Program log: ray_log: "
_SWAP = struct.Struct("<B7Q")
_BASE_IN, _BASE_OUT = 3, 4
_QUOTE_TO_BASE, _BASE_TO_QUOTE = 1, 2
_DIGITS = Context(prec=12)


def price(messages: object, pool: Pool) -> Decimal | None:
    """What one of the base was dealt for, in the quote; None where the messages don't say.

    A message doesn't name its pool. So a transaction with several swaps, of which any may be
    another pool's, is no price.
    """
    if not isinstance(messages, list):
        return None
    swaps = [
        line.removeprefix(_LOG)
        for line in messages
        if isinstance(line, str) and line.startswith(_LOG)
    ]
    return _price(swaps[0], pool) if len(swaps) == 1 else None


def _price(text: str, pool: Pool) -> Decimal | None:
    try:
        kind, first, second, direction, *_, last = _SWAP.unpack(base64.b64decode(text))
    except (binascii.Error, struct.error):
        return None  # another struct: of a deposit, a withdrawal, a new pool
    if kind not in (_BASE_IN, _BASE_OUT):
        return None
    given, taken = (first, last) if kind == _BASE_IN else (last, second)
    if direction == _BASE_TO_QUOTE:
        base, quote = given, taken
    elif direction == _QUOTE_TO_BASE:
        base, quote = taken, given
    else:
        return None
    if not base or not quote:
        return None
    whole = Decimal(quote).scaleb(pool.base_decimals - pool.quote_decimals)
    return _DIGITS.divide(whole, Decimal(base))
