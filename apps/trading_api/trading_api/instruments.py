"""Instruments, and the hot read: one instrument with its last day of orders."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from trading_api.database import Database
from trading_api.errors import ApiError
from trading_api.money import Amount

SYMBOL = r"^[A-Z0-9]{2,12}-[A-Z0-9]{2,12}$"
router = APIRouter(prefix="/instruments", tags=["instruments"])


class Instrument(BaseModel):
    """What can be ordered, in which steps of price (tick) and quantity (lot)."""

    symbol: str
    name: str
    tick_size: Amount
    lot_size: Amount
    status: Literal["open", "halted"]


class LastDay(BaseModel):
    """Orders of the last 24 hours. `volume` is their quantity, `notional` quantity times price."""

    orders: int
    volume: Amount
    notional: Amount
    last_price: Amount | None


class InstrumentOfTheDay(Instrument):
    """The hot read. `as_of` is when the database was asked."""

    last_day: LastDay
    as_of: datetime


class Instruments(BaseModel):
    """All of them, by symbol."""

    instruments: list[Instrument]


def unknown(symbol: str) -> ApiError:
    """404 for a symbol that isn't traded."""
    return ApiError(
        404,
        "unknown_instrument",
        f"There is no instrument {symbol!r}. GET /instruments lists those there are.",
    )


@router.get("")
async def list_instruments(request: Request) -> Instruments:
    """Every instrument."""
    rows = await request.app.state.database.rows(
        "SELECT symbol, name, tick_size, lot_size, status FROM instruments ORDER BY symbol"
    )
    return Instruments(instruments=[Instrument(**row) for row in rows])


@router.get(
    "/{symbol}",
    response_model=InstrumentOfTheDay,
    responses={200: {"headers": {"X-Cache": {"schema": {"enum": ["hit", "miss"]}}}}},
)
async def get_instrument(symbol: str, request: Request) -> Response:
    """One instrument and its last day, from the cache where it is there."""
    state = request.app.state
    if not re.fullmatch(SYMBOL, symbol):
        raise unknown(symbol)
    body, hit = await state.cache.get(
        f"instrument:{symbol}", lambda: read_instrument(state.database, symbol)
    )
    if body is None:
        raise unknown(symbol)
    # Ready-made JSON: no model is built on the way out of the cache.
    return Response(
        body, media_type="application/json", headers={"X-Cache": "hit" if hit else "miss"}
    )


async def read_instrument(database: Database, symbol: str) -> bytes | None:
    """The hot read's JSON straight from PostgreSQL, or None if there is no such instrument."""
    row = await database.row(
        """
        SELECT i.symbol, i.name, i.tick_size, i.lot_size, i.status, now() AS as_of,
               d.orders, d.volume, d.notional, l.price AS last_price
        FROM instruments i
        CROSS JOIN LATERAL (
            SELECT count(*) AS orders, coalesce(sum(quantity), 0) AS volume,
                   coalesce(sum(quantity * price), 0) AS notional
            FROM orders WHERE symbol = i.symbol AND created_at > now() - interval '24 hours'
        ) d
        LEFT JOIN LATERAL (
            SELECT price FROM orders WHERE symbol = i.symbol ORDER BY created_at DESC LIMIT 1
        ) l ON true
        WHERE i.symbol = $1
        """,
        symbol,
    )
    if row is None:
        return None
    fields = dict(row)
    day = LastDay.model_construct(
        orders=fields.pop("orders"),
        volume=fields.pop("volume"),
        notional=fields.pop("notional"),
        last_price=fields.pop("last_price"),
    )
    return InstrumentOfTheDay.model_construct(**fields, last_day=day).model_dump_json().encode()


def off_grid(value: Decimal, step: Decimal) -> bool:
    """Whether `value` isn't a whole number of `step`s."""
    return value % step != 0
