"""Orders. A write carries an idempotency key, so that a client may send it again."""

import hashlib
import json
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID, uuid4

import asyncpg
import structlog
from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from trading_api.database import Database
from trading_api.errors import ApiError
from trading_api.instruments import SYMBOL, off_grid
from trading_api.money import Amount, plain

router = APIRouter(prefix="/orders", tags=["orders"])
_COLUMNS = "id, symbol, side, quantity, price, status, created_at"

IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,128}$",
        description="Names this one order: 1 to 128 printable characters, such as a UUID. "
        "Sent again with the same body, it answers with the order that was stored.",
    ),
]


class NewOrder(BaseModel):
    """A limit order as it is asked for."""

    model_config = ConfigDict(extra="forbid")

    symbol: str = Field(pattern=SYMBOL, examples=["SOL-USD"])
    side: Literal["buy", "sell"]
    quantity: Amount
    price: Amount

    def digest(self) -> bytes:
        """The same for bodies that mean the same: key order and trailing zeros don't count."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(canonical.encode()).digest()


class Order(BaseModel):
    """An order as it is stored."""

    id: UUID
    symbol: str
    side: Literal["buy", "sell"]
    quantity: Amount
    price: Amount
    status: str
    created_at: datetime


@router.post(
    "",
    status_code=201,
    responses={
        200: {"model": Order, "description": "Sent before with this key: the stored order."},
        400: {"description": "The Idempotency-Key header is missing or malformed."},
        409: {"description": "The key belongs to an order with another body."},
    },
)
async def place_order(
    order: NewOrder, key: IdempotencyKey, request: Request, response: Response
) -> Order:
    """Store an order, once per idempotency key."""
    database: Database = request.app.state.database
    digest = order.digest()
    # One statement decides: whatever races it, one row per key, on an open instrument, on grid.
    row = await database.row(
        f"""
        INSERT INTO orders (id, idempotency_key, request_hash, symbol, side, quantity, price)
        SELECT $1, $2, $3, i.symbol, $5, $6, $7
        FROM instruments i
        WHERE i.symbol = $4 AND i.status = 'open'
          AND mod($6::numeric, i.lot_size) = 0 AND mod($7::numeric, i.tick_size) = 0
        ON CONFLICT (idempotency_key) DO NOTHING
        RETURNING {_COLUMNS}
        """,  # noqa: S608 - _COLUMNS is a constant
        uuid4(),
        key,
        digest,
        order.symbol,
        order.side,
        order.quantity,
        order.price,
    )
    if row is None:
        row = await _stored(database, key, digest)
        if row is None:
            raise await _refusal(database, order)
        response.status_code = 200
        response.headers["Idempotent-Replayed"] = "true"
    stored = Order(**row)
    structlog.contextvars.bind_contextvars(order_id=str(stored.id))
    response.headers["Location"] = f"{request.url.path}/{stored.id}"
    return stored


@router.get("/{order_id}")
async def get_order(order_id: UUID, request: Request) -> Order:
    """One order."""
    row = await request.app.state.database.row(
        f"SELECT {_COLUMNS} FROM orders WHERE id = $1",  # noqa: S608 - _COLUMNS is a constant
        order_id,
    )
    if row is None:
        raise ApiError(404, "unknown_order", f"There is no order {order_id}.")
    return Order(**row)


async def _stored(database: Database, key: str, digest: bytes) -> asyncpg.Record | None:
    """The order that holds `key`, if any. Raises 409 if it was asked for with another body."""
    row = await database.row(
        f"SELECT {_COLUMNS}, request_hash FROM orders "  # noqa: S608 - _COLUMNS is a constant
        "WHERE idempotency_key = $1",
        key,
    )
    if row is not None and row["request_hash"] != digest:
        raise ApiError(
            409,
            "idempotency_key_reused",
            f"Idempotency-Key {key!r} belongs to order {row['id']}, which has another body. "
            "Send that body again, or this one with a new key.",
        )
    return row


async def _refusal(database: Database, order: NewOrder) -> ApiError:
    """Why the insert stored nothing although its key was free."""
    instrument = await database.row(
        "SELECT tick_size, lot_size, status FROM instruments WHERE symbol = $1", order.symbol
    )
    if instrument is None:
        return ApiError(
            422,
            "unknown_instrument",
            f"symbol: there is no instrument {order.symbol!r}. "
            "GET /instruments lists those there are.",
        )
    if instrument["status"] != "open":
        return ApiError(
            422, "instrument_halted", f"symbol: {order.symbol} is halted and takes no orders."
        )
    for field, step in (("quantity", "lot_size"), ("price", "tick_size")):
        value = getattr(order, field)
        if off_grid(value, instrument[step]):
            return ApiError(
                422,
                f"off_{step}",
                f"{field}: {plain(value)} is not a multiple of {order.symbol}'s {step} "
                f"{plain(instrument[step])}.",
            )
    return ApiError(
        409, "instrument_changed", f"{order.symbol} changed while this came in. Send it again."
    )
