"""Changes of an order: made to the version that the caller saw, or not at all.

A change sent twice by a client that lost the answer is answered as the first time: the
order stands as it was asked for, one version on.
"""

from typing import Any
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, model_validator

from trading_api.database import Database
from trading_api.errors import ApiError, refusals
from trading_api.instruments import forget
from trading_api.money import Amount, plain
from trading_api.orders import COLUMNS, OPEN, Order, answer, off_steps, order_row
from trading_api.versions import IfMatch, changed, expected

router = APIRouter(prefix="/orders", tags=["orders"])

_REFUSALS = refusals(
    {
        400: "If-Match is malformed, or the body is no JSON.",
        404: "There is no such order.",
        409: "The order is filled or cancelled.",
        412: "The order has changed since: it has another version now.",
        428: "If-Match is missing.",
    }
)


class OrderChange(BaseModel):
    """New amounts of an open order; what isn't named stays."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"price": "99.5"}]})

    quantity: Amount | None = None
    price: Amount | None = None

    @model_validator(mode="after")
    def _something(self) -> "OrderChange":
        if self.quantity is None and self.price is None:
            raise ValueError("name quantity, price or both")
        return self


@router.patch(
    "/{order_id}",
    response_model=Order,
    responses={**_REFUSALS, **refusals({422: "The amounts aren't possible."})},
)
async def amend_order(
    order_id: UUID, change: OrderChange, request: Request, if_match: IfMatch = None
) -> Response:
    """Give an open order another quantity or price."""
    versions = expected(if_match)
    database: Database = request.app.state.database
    # Orders of a halted instrument may be changed: they deal nothing meanwhile.
    row = await database.row(
        f"""
        UPDATE orders o
        SET quantity = coalesce($3, o.quantity), price = coalesce($4, o.price),
            version = o.version + 1
        FROM instruments i
        WHERE o.id = $1 AND i.symbol = o.symbol AND o.status = ANY($5)
          AND ($2::integer[] IS NULL OR o.version = ANY($2))
          AND coalesce($3, o.quantity) > o.filled
          AND mod(coalesce($3, o.quantity), i.lot_size) = 0
          AND mod(coalesce($4, o.price), i.tick_size) = 0
        RETURNING {", ".join(f"o.{name.strip()}" for name in COLUMNS.split(","))}
        """,  # noqa: S608 - constants
        order_id,
        versions,
        change.quantity,
        change.price,
        OPEN,
    )
    if row is None:
        row = await order_row(database, order_id)
        asked = {"quantity": change.quantity, "price": change.price}
        if not _made_before(row, versions, {k: v for k, v in asked.items() if v is not None}):
            raise _closed_or_changed(row, versions) or await _impossible(database, row, change)
    else:
        await forget(request.app.state.cache, row["symbol"])
    return answer(row)


@router.post("/{order_id}/cancel", response_model=Order, responses=_REFUSALS)
async def cancel_order(order_id: UUID, request: Request, if_match: IfMatch = None) -> Response:
    """Take an open order back; what was filled of it stays dealt."""
    versions = expected(if_match)
    database: Database = request.app.state.database
    row = await database.row(
        f"""
        UPDATE orders SET status = 'cancelled', version = version + 1
        WHERE id = $1 AND status = ANY($3) AND ($2::integer[] IS NULL OR version = ANY($2))
        RETURNING {COLUMNS}
        """,  # noqa: S608 - COLUMNS is a constant
        order_id,
        versions,
        OPEN,
    )
    if row is None:
        row = await order_row(database, order_id)
        if not _made_before(row, versions, {"status": "cancelled"}):
            raise _closed_or_changed(row, versions) or _meanwhile(row)
    return answer(row)


def _made_before(row: asyncpg.Record, versions: list[int] | None, asked: dict[str, Any]) -> bool:
    """Whether the order stands as asked because this very change was made to it just now."""
    one_on = versions is None or row["version"] - 1 in versions
    return one_on and all(row[name] == value for name, value in asked.items())


def _closed_or_changed(row: asyncpg.Record, versions: list[int] | None) -> ApiError | None:
    if versions is not None and row["version"] not in versions:
        return changed(row["id"], row["version"])
    if row["status"] not in OPEN:
        return ApiError(
            409, "order_closed", f"Order {row['id']} is {row['status']} and changes no more."
        )
    return None


def _meanwhile(row: asyncpg.Record) -> ApiError:
    return ApiError(
        409, "order_changed", f"Order {row['id']} changed while this came in. Send it again."
    )


async def _impossible(database: Database, row: asyncpg.Record, change: OrderChange) -> ApiError:
    """Why the amounts were refused."""
    quantity, price = change.quantity or row["quantity"], change.price or row["price"]
    if quantity <= row["filled"]:
        return ApiError(
            422,
            "below_filled",
            f"quantity: {plain(row['filled'])} of order {row['id']} are filled. Ask for more "
            "than that, or cancel the order.",
        )
    instrument = await database.row(
        "SELECT tick_size, lot_size FROM instruments WHERE symbol = $1", row["symbol"]
    )
    return off_steps(row["symbol"], quantity, price, instrument) or _meanwhile(row)
