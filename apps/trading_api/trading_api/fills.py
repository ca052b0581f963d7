"""Fills: what the market dealt of an order. Positions are made of them and of nothing else."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from trading_api.database import Database
from trading_api.errors import ApiError, refusals
from trading_api.instruments import forget
from trading_api.money import Amount, plain
from trading_api.orders import OPEN, order_row, unknown
from trading_api.pages import LIMIT, Cursor, Limit, cursor_after, cut, key_in, moment

router = APIRouter(prefix="/orders/{order_id}/fills", tags=["fills"])
FILL_ID = r"^[A-Za-z0-9._:-]{1,64}$"
_COLUMNS = "order_id, id, symbol, side, quantity, price, filled_at"

FillId = Annotated[str, Path(pattern=FILL_ID, description="The market's own id of the fill.")]


class NewFill(BaseModel):
    """So much was dealt at this price."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"quantity": "0.5", "price": "101.2"}]}
    )

    quantity: Amount
    price: Amount


class Fill(BaseModel):
    """A fill as it is stored; it never changes."""

    order_id: UUID
    id: str
    symbol: str
    side: Literal["buy", "sell"]
    quantity: Amount
    price: Amount
    filled_at: datetime


class Fills(BaseModel):
    """A page of an order's fills, in the order of time. Without `next_cursor` it is the last."""

    fills: list[Fill]
    next_cursor: str | None


@router.put(
    "/{fill_id}",
    status_code=201,
    response_model=Fill,
    responses={
        200: {"model": Fill, "description": "Reported before: the stored fill."},
        **refusals(
            {
                400: "The body is no JSON.",
                404: "There is no such order.",
                409: "Reported before otherwise, or the order has no so much left, or is closed.",
                422: "The price is worse than the order's limit.",
            }
        ),
    },
)
async def put_fill(
    order_id: UUID, fill_id: FillId, fill: NewFill, request: Request
) -> JSONResponse:
    """Report a fill; the same one again changes nothing."""
    row, stored = await request.app.state.database.transaction(
        lambda connection: _store(connection, order_id, fill_id, fill)
    )
    if stored:
        await forget(request.app.state.cache, row["symbol"])
    return JSONResponse(Fill(**row).model_dump(mode="json"), status_code=201 if stored else 200)


@router.get(
    "", responses=refusals({400: "The cursor is none of this list.", 404: "No such order."})
)
async def list_fills(
    order_id: UUID, request: Request, limit: Limit = LIMIT, cursor: Cursor = None
) -> Fills:
    """An order's fills, the oldest first."""
    name = f"fills:{order_id}"
    after, after_id = key_in(cursor, name, moment, str)
    database: Database = request.app.state.database
    await order_row(database, order_id)
    rows = await database.rows(
        f"""
        SELECT {_COLUMNS} FROM fills
        WHERE order_id = $1 AND ($2::timestamptz IS NULL OR (filled_at, id) > ($2, $3))
        ORDER BY filled_at, id LIMIT $4
        """,  # noqa: S608 - _COLUMNS is a constant
        order_id,
        after,
        after_id,
        limit + 1,
    )
    page, last = cut(rows, limit)
    return Fills(
        fills=[Fill(**row) for row in page],
        next_cursor=cursor_after(name, last["filled_at"], last["id"]) if last else None,
    )


async def _store(
    connection: asyncpg.pool.PoolConnectionProxy, order_id: UUID, fill_id: str, fill: NewFill
) -> tuple[asyncpg.Record, bool]:
    """The stored fill, and whether it is new. In one transaction, behind the order's lock."""
    order = await connection.fetchrow(
        "SELECT symbol, side, quantity, price, filled, status FROM orders WHERE id = $1 FOR UPDATE",
        order_id,
    )
    if order is None:
        raise unknown(order_id)
    known = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM fills WHERE order_id = $1 AND id = $2",  # noqa: S608 - a constant
        order_id,
        fill_id,
    )
    if known is not None:
        if (known["quantity"], known["price"]) != (fill.quantity, fill.price):
            raise ApiError(
                409,
                "fill_differs",
                f"Fill {fill_id} of order {order_id} was reported as {plain(known['quantity'])} "
                f"at {plain(known['price'])} before. Report another one under another id.",
            )
        return known, False
    _check(order, order_id, fill)
    row = await connection.fetchrow(
        f"""
        INSERT INTO fills (order_id, id, symbol, side, quantity, price)
        VALUES ($1, $2, $3, $4, $5, $6) RETURNING {_COLUMNS}
        """,  # noqa: S608 - _COLUMNS is a constant
        order_id,
        fill_id,
        order["symbol"],
        order["side"],
        fill.quantity,
        fill.price,
    )
    await connection.execute(
        """
        UPDATE orders
        SET filled = filled + $2, version = version + 1,
            status = CASE WHEN filled + $2 = quantity THEN 'filled' ELSE 'partly_filled' END
        WHERE id = $1
        """,
        order_id,
        fill.quantity,
    )
    return row, True


def _check(order: asyncpg.Record, order_id: UUID, fill: NewFill) -> None:
    """Raises why the order can't have been filled so."""
    if order["status"] not in OPEN:
        raise ApiError(
            409, "order_closed", f"Order {order_id} is {order['status']}: nothing more of it deals."
        )
    left = order["quantity"] - order["filled"]
    if fill.quantity > left:
        raise ApiError(
            409,
            "overfilled",
            f"quantity: {plain(left)} of order {order_id} are left, not {plain(fill.quantity)}.",
        )
    worse = fill.price - order["price"] if order["side"] == "buy" else order["price"] - fill.price
    if worse > 0:
        raise ApiError(
            422,
            "worse_than_limit",
            f"price: order {order_id} is to {order['side']} at {plain(order['price'])} or better, "
            f"not at {plain(fill.price)}.",
        )
