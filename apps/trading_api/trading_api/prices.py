"""Prices: a read model in Redis that a market-data process writes; this service only reads it.

Layout, which a writer must keep: the key `market:1:price:<symbol>` holds the JSON object
`{"price": "101.25", "observed_at": "2026-01-02T03:04:05.678Z", "source": "<who>"}`, price a
decimal string, observed_at when the market had it, with its zone. Write it in one step and
with an end, `SET key value EX 86400`, so that no price outlives its writer by more than a day.

Every price says how old it is. Without one in Redis, the instrument's last fill is told, by
source `last_fill`; so a price is there, and older, while Redis is away.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, ValidationError

from trading_api import logs
from trading_api.errors import ApiError, refusals
from trading_api.instruments import symbol_of, unknown, well_formed
from trading_api.money import Amount
from trading_api.pages import LIMIT, Cursor, Limit, cursor_after, cut, key_in

router = APIRouter(prefix="/prices", tags=["prices"])
KEY = "market:1:price:"
_SELECT = """
    SELECT i.symbol, f.price, f.filled_at FROM instruments i
    LEFT JOIN LATERAL (
        SELECT price, filled_at FROM fills WHERE symbol = i.symbol ORDER BY filled_at DESC LIMIT 1
    ) f ON true
"""


class Quote(BaseModel):
    """What the writer stores."""

    price: Amount
    observed_at: datetime
    source: str


class Price(BaseModel):
    """`age_seconds` is since `observed_at`; `stale` is older than PRICE_STALE_SECONDS."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "symbol": "SOL-USD",
                    "price": "101.25",
                    "observed_at": "2026-01-02T03:04:05.678Z",
                    "source": "market_data",
                    "age_seconds": 0.412,
                    "stale": False,
                }
            ]
        }
    )

    symbol: str
    price: Amount
    observed_at: datetime
    source: str
    age_seconds: float
    stale: bool


class Prices(BaseModel):
    """A page of prices by symbol; instruments that never had one are left out."""

    prices: list[Price]
    next_cursor: str | None


@router.get("", responses=refusals({400: "The cursor is none of this list."}))
async def list_prices(request: Request, limit: Limit = LIMIT, cursor: Cursor = None) -> Prices:
    """Prices of the instruments, by symbol."""
    (after,) = key_in(cursor, "prices", symbol_of)
    state = request.app.state
    rows = await state.database.reader.rows(
        f"{_SELECT} WHERE $1::text IS NULL OR i.symbol > $1 ORDER BY i.symbol LIMIT $2",
        after,
        limit + 1,
    )
    page, last = cut(rows, limit)
    return Prices(
        prices=await _priced(state, page),
        next_cursor=cursor_after("prices", last["symbol"]) if last else None,
    )


@router.get("/{symbol}", responses=refusals({404: "No such instrument, or it has no price yet."}))
async def get_price(symbol: str, request: Request) -> Price:
    """One instrument's price."""
    if well_formed(symbol) is None:
        raise unknown(symbol)
    state = request.app.state
    row = await state.database.row(
        f"{_SELECT} WHERE i.symbol = $1",
        symbol,
    )
    if row is None:
        raise unknown(symbol)
    for price in await _priced(state, [row]):
        return price
    raise ApiError(404, "no_price", f"{symbol} has no price yet: none was observed, none dealt.")


async def _priced(state: Any, rows: Sequence[asyncpg.Record]) -> list[Price]:
    """The rows' prices: the market's where Redis tells it, else the last fill's, else none."""
    quotes = await state.cache.read([f"{KEY}{row['symbol']}" for row in rows])
    now = datetime.now(UTC)
    prices = []
    for row, stored in zip(rows, quotes, strict=True):
        quote = _quote(row["symbol"], stored)
        if quote is None and row["price"] is not None:
            quote = Quote(price=row["price"], observed_at=row["filled_at"], source="last_fill")
        if quote is not None:
            age = round(max((now - quote.observed_at).total_seconds(), 0.0), 3)
            stale = age > state.settings.price_stale_seconds
            told = {name: getattr(quote, name) for name in Quote.model_fields}
            prices.append(Price(symbol=row["symbol"], **told, age_seconds=age, stale=stale))
    return prices


def _quote(symbol: str, stored: bytes | None) -> Quote | None:
    if stored is None:
        return None
    try:
        quote = Quote.model_validate(json.loads(stored))
        if quote.observed_at.tzinfo is None:
            raise ValueError("observed_at has no zone")
    except (ValidationError, ValueError) as error:
        logs.get(component="prices").warning("price_unreadable", symbol=symbol, reason=str(error))
        return None
    return quote
