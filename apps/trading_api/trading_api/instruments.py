"""Instruments, and the hot read: one instrument with its last day of orders."""

import re
from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict

from trading_api.cache import Cache
from trading_api.database import Queries
from trading_api.errors import ApiError, refusals
from trading_api.hot import X_CACHE, cached
from trading_api.money import Amount, Total
from trading_api.pages import LIMIT, Cursor, Limit, cursor_after, cut, key_in

SYMBOL = r"^[A-Z0-9]{2,12}-[A-Z0-9]{2,12}$"
_SYMBOL = re.compile(SYMBOL)
router = APIRouter(prefix="/instruments", tags=["instruments"])
_INSTRUMENT = {
    "symbol": "SOL-USD",
    "name": "Solana",
    "tick_size": "0.01",
    "lot_size": "0.001",
    "status": "open",
}


class Instrument(BaseModel):
    """What can be ordered, in which steps of price (tick) and quantity (lot)."""

    model_config = ConfigDict(json_schema_extra={"examples": [_INSTRUMENT]})

    symbol: str
    name: str
    tick_size: Amount
    lot_size: Amount
    status: Literal["open", "halted"]


class LastDay(BaseModel):
    """Orders of the last 24 hours. `volume` is their quantity, `notional` quantity times price."""

    orders: int
    volume: Total
    notional: Total
    last_price: Amount | None


class InstrumentOfTheDay(Instrument):
    """The hot read. `as_of` is when the database was asked."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **_INSTRUMENT,
                    "last_day": {
                        "orders": 2,
                        "volume": "2.5",
                        "notional": "255.25",
                        "last_price": "110.5",
                    },
                    "as_of": "2026-01-02T03:04:05.678901Z",
                }
            ]
        }
    )

    last_day: LastDay
    as_of: datetime


class Instruments(BaseModel):
    """A page of them by symbol. Without `next_cursor` it is the last."""

    instruments: list[Instrument]
    next_cursor: str | None


def unknown(symbol: str) -> ApiError:
    """404 for a symbol that isn't traded."""
    return ApiError(
        404,
        "unknown_instrument",
        f"There is no instrument {symbol!r}. GET /instruments lists those there are.",
    )


def well_formed(symbol: str) -> str | None:
    """The symbol, if it could be one."""
    return symbol if _SYMBOL.fullmatch(symbol) else None


def symbol_of(value: Any) -> str:
    """A cursor's symbol."""
    if not isinstance(value, str) or not _SYMBOL.fullmatch(value):
        raise ValueError
    return value


async def forget(cache: Cache, symbol: str) -> None:
    """Have what is cached of an instrument read anew: its orders or fills have changed."""
    await cache.forget(f"instrument:{symbol}", f"position:{symbol}")


@router.get("", responses=refusals({400: "The cursor is none of this list."}))
async def list_instruments(
    request: Request, limit: Limit = LIMIT, cursor: Cursor = None
) -> Instruments:
    """Every instrument, by symbol."""
    (after,) = key_in(cursor, "instruments", symbol_of)
    rows = await request.app.state.database.reader.rows(
        "SELECT symbol, name, tick_size, lot_size, status FROM instruments "
        "WHERE $1::text IS NULL OR symbol > $1 ORDER BY symbol LIMIT $2",
        after,
        limit + 1,
    )
    page, last = cut(rows, limit)
    return Instruments(
        instruments=[Instrument(**row) for row in page],
        next_cursor=cursor_after("instruments", last["symbol"]) if last else None,
    )


@router.get(
    "/{symbol}",
    response_model=InstrumentOfTheDay,
    responses={200: X_CACHE, **refusals({404: "There is no such instrument."})},
)
async def get_instrument(symbol: str, request: Request) -> Response:
    """One instrument and its last day, from the cache where it is there."""
    if well_formed(symbol) is None:
        raise unknown(symbol)
    state = request.app.state
    return await cached(
        state.cache,
        f"instrument:{symbol}",
        lambda: read_instrument(state.database, symbol),
        unknown(symbol),
    )


async def read_instrument(database: Queries, symbol: str) -> bytes | None:
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
