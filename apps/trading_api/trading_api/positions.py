"""Positions: per instrument, the sum of all fills. Nothing is kept that could disagree with them.

There are no accounts: all orders are of one book.
"""

from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict

from trading_api.database import Queries
from trading_api.errors import refusals
from trading_api.hot import X_CACHE, cached
from trading_api.instruments import symbol_of, unknown, well_formed
from trading_api.money import Total
from trading_api.pages import LIMIT, Cursor, Limit, cursor_after, cut, key_in

router = APIRouter(prefix="/positions", tags=["positions"])
_SUMS = """
    coalesce(sum(CASE side WHEN 'buy' THEN quantity ELSE -quantity END), 0) AS quantity,
    coalesce(sum(quantity) FILTER (WHERE side = 'buy'), 0) AS bought,
    coalesce(sum(quantity * price) FILTER (WHERE side = 'buy'), 0) AS bought_for,
    coalesce(sum(quantity) FILTER (WHERE side = 'sell'), 0) AS sold,
    coalesce(sum(quantity * price) FILTER (WHERE side = 'sell'), 0) AS sold_for,
    count(*) AS fills, now() AS as_of
"""


class Position(BaseModel):
    """`quantity` is bought less sold, so negative for a short one; `…_for` are in the quote."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "symbol": "SOL-USD",
                    "quantity": "-0.5",
                    "bought": "1",
                    "bought_for": "101.25",
                    "sold": "1.5",
                    "sold_for": "153",
                    "fills": 3,
                    "as_of": "2026-01-02T03:04:05.678901Z",
                }
            ]
        }
    )

    symbol: str
    quantity: Total
    bought: Total
    bought_for: Total
    sold: Total
    sold_for: Total
    fills: int
    as_of: datetime


class Positions(BaseModel):
    """A page of positions by symbol. Without `next_cursor` it is the last."""

    positions: list[Position]
    next_cursor: str | None


@router.get("", responses=refusals({400: "The cursor is none of this list."}))
async def list_positions(
    request: Request, limit: Limit = LIMIT, cursor: Cursor = None
) -> Positions:
    """Instruments with fills, by symbol."""
    (after,) = key_in(cursor, "positions", symbol_of)
    rows = await request.app.state.database.reader.rows(
        f"SELECT symbol, {_SUMS} FROM fills WHERE $1::text IS NULL OR symbol > $1 "  # noqa: S608
        "GROUP BY symbol ORDER BY symbol LIMIT $2",
        after,
        limit + 1,
    )
    page, last = cut(rows, limit)
    return Positions(
        positions=[Position(**row) for row in page],
        next_cursor=cursor_after("positions", last["symbol"]) if last else None,
    )


@router.get(
    "/{symbol}",
    response_model=Position,
    responses={200: X_CACHE, **refusals({404: "There is no such instrument."})},
)
async def get_position(symbol: str, request: Request) -> Response:
    """One instrument's position, from the cache where it is there."""
    if well_formed(symbol) is None:
        raise unknown(symbol)
    state = request.app.state
    return await cached(
        state.cache, f"position:{symbol}", lambda: _read(state.database, symbol), unknown(symbol)
    )


async def _read(database: Queries, symbol: str) -> bytes | None:
    row = await database.row(
        f"""
        SELECT i.symbol, p.* FROM instruments i
        CROSS JOIN LATERAL (SELECT {_SUMS} FROM fills WHERE symbol = i.symbol) p
        WHERE i.symbol = $1
        """,  # noqa: S608 - _SUMS is a constant
        symbol,
    )
    return None if row is None else Position(**row).model_dump_json().encode()
