"""Orders. A write carries an idempotency key, so that a client may send it again."""

import hashlib
import json
import re
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

import asyncpg
import structlog
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from trading_api.database import Database
from trading_api.errors import ApiError, refusals
from trading_api.instruments import SYMBOL, forget
from trading_api.money import Amount, off_grid, plain
from trading_api.pages import LIMIT, Cursor, Limit, cursor_after, cut, key_in, moment
from trading_api.versions import is_current, tag

router = APIRouter(prefix="/orders", tags=["orders"])
COLUMNS = "id, symbol, side, quantity, price, filled, status, version, created_at"
_ID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
Status = Literal["accepted", "partly_filled", "filled", "cancelled"]
OPEN = ("accepted", "partly_filled")

IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,128}$",
        description="Names this one order: 1 to 128 printable characters, such as a UUID. "
        "Sent again with the same body, it answers with the order that was stored.",
        examples=["6f1c9a52-6c0e-4d52-9a0f-0c6f5b0f3a11"],
    ),
]
_ORDER = {"symbol": "SOL-USD", "side": "buy", "quantity": "1.5", "price": "101.25"}


class NewOrder(BaseModel):
    """A limit order as it is asked for."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_ORDER]})

    symbol: str = Field(pattern=SYMBOL, examples=["SOL-USD"])
    side: Literal["buy", "sell"]
    quantity: Amount
    price: Amount

    def digest(self) -> bytes:
        """The same for bodies that mean the same: key order and trailing zeros don't count."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(canonical.encode()).digest()


class Order(BaseModel):
    """An order as it is stored. `filled` is how much of `quantity` its fills have dealt."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "0d4f3a2e-5f0c-4a55-9b59-6a4c8f0a9a10",
                    **_ORDER,
                    "filled": "0",
                    "status": "accepted",
                    "version": 1,
                    "created_at": "2026-01-02T03:04:05.678901Z",
                }
            ]
        }
    )

    id: UUID
    symbol: str
    side: Literal["buy", "sell"]
    quantity: Amount
    price: Amount
    filled: Amount
    status: Status
    version: int
    created_at: datetime


class Orders(BaseModel):
    """A page of orders, the newest first. Without `next_cursor` it is the last."""

    orders: list[Order]
    next_cursor: str | None


def rendered(row: asyncpg.Record) -> str:
    """What `Order(**row).model_dump_json()` is, in a fifth of the time; a test holds them together.

    Nothing in it need be escaped: symbol, side and status are words of a pattern.
    """
    return (
        f'{{"id":"{row["id"]}","symbol":"{row["symbol"]}","side":"{row["side"]}",'
        f'"quantity":"{plain(row["quantity"])}","price":"{plain(row["price"])}",'
        f'"filled":"{plain(row["filled"])}","status":"{row["status"]}",'
        f'"version":{row["version"]},"created_at":"{row["created_at"].isoformat()[:-6]}Z"}}'
    )


def answer(
    row: asyncpg.Record, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """An order with its ETag."""
    return Response(
        rendered(row),
        status_code=status,
        media_type="application/json",
        headers={"ETag": tag(row["version"]), **(headers or {})},
    )


@router.post(
    "",
    status_code=201,
    response_model=Order,
    responses={
        200: {"model": Order, "description": "Sent before with this key: the stored order."},
        **refusals(
            {
                400: "The Idempotency-Key header is missing or malformed, or the body is no JSON.",
                409: "The key belongs to an order with another body.",
                422: "The body, or the instrument's steps or status, allow no such order.",
            }
        ),
    },
)
async def place_order(order: NewOrder, key: IdempotencyKey, request: Request) -> Response:
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
        RETURNING {COLUMNS}
        """,  # noqa: S608 - COLUMNS is a constant
        uuid4(),
        key,
        digest,
        order.symbol,
        order.side,
        order.quantity,
        order.price,
    )
    replayed = row is None
    if row is None:
        row = await _stored(database, key, digest)
        if row is None:
            raise await _refusal(database, order)
    else:
        await forget(request.app.state.cache, order.symbol)
    structlog.contextvars.bind_contextvars(order_id=str(row["id"]))
    headers = {"Location": f"{request.url.path}/{row['id']}"}
    if replayed:
        headers["Idempotent-Replayed"] = "true"
    return answer(row, 200 if replayed else 201, headers)


@router.get("", responses=refusals({400: "The cursor is none of this list."}))
async def list_orders(
    request: Request,
    symbol: Annotated[str | None, Query(pattern=SYMBOL, description="Only of this one.")] = None,
    status: Annotated[Status | None, Query(description="Only those that stand so.")] = None,
    limit: Limit = LIMIT,
    cursor: Cursor = None,
) -> Orders:
    """Orders, the newest first."""
    name = f"orders:{symbol or ''}:{status or ''}"
    before, before_id = key_in(cursor, name, moment, UUID)
    # Only the conditions that are asked for, so that each list has an index it can follow.
    conditions, given = ["true"], []
    for condition, values in (
        ("symbol = ${}", [symbol] if symbol else []),
        ("status = ${}", [status] if status else []),
        ("(created_at, id) < (${}, ${})", [before, before_id] if before else []),
    ):
        if values:
            numbers = range(len(given) + 1, len(given) + 1 + len(values))
            conditions.append(condition.format(*numbers))
            given += values
    rows = await request.app.state.database.reader.rows(
        f"SELECT {COLUMNS} FROM orders WHERE {' AND '.join(conditions)} "  # noqa: S608 - constants
        f"ORDER BY created_at DESC, id DESC LIMIT ${len(given) + 1}",
        *given,
        limit + 1,
    )
    page, last = cut(rows, limit)
    return Orders(
        orders=[Order(**row) for row in page],
        next_cursor=cursor_after(name, last["created_at"], last["id"]) if last else None,
    )


async def order_row(database: Database, order_id: UUID | str) -> asyncpg.Record:
    """The order as the primary has it. Raises 404."""
    row = await database.row(
        f"SELECT {COLUMNS} FROM orders WHERE id = $1",  # noqa: S608 - COLUMNS is a constant
        order_id,
    )
    if row is None:
        raise unknown(order_id)
    return row


def well_formed(order_id: str) -> str | None:
    """The id, if it is written as this service writes it."""
    return order_id if _ID.fullmatch(order_id) else None


def unknown(order_id: UUID | str) -> ApiError:
    """404 for an order that isn't there."""
    return ApiError(404, "unknown_order", f"There is no order {order_id}.")


@router.get(
    "/{order_id}",
    response_model=Order,
    responses={
        304: {"description": "It is still of the version in If-None-Match."},
        **refusals({404: "There is no such order."}),
    },
)
async def get_order(order_id: UUID, request: Request) -> Order:
    """One order; its ETag is what a change of it names in If-Match."""
    row = await order_row(request.app.state.database, order_id)
    if is_current(request, row["version"]):
        return Response(status_code=304, headers={"ETag": tag(row["version"])})
    return answer(row)


async def _stored(database: Database, key: str, digest: bytes) -> asyncpg.Record | None:
    """The order that holds `key`, if any. Raises 409 if it was asked for with another body."""
    row = await database.row(
        f"SELECT {COLUMNS}, request_hash FROM orders "  # noqa: S608 - COLUMNS is a constant
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
    return off_steps(order.symbol, order.quantity, order.price, instrument) or ApiError(
        409, "instrument_changed", f"{order.symbol} changed while this came in. Send it again."
    )


def off_steps(
    symbol: str, quantity: Any, price: Any, instrument: asyncpg.Record
) -> ApiError | None:
    """422 if an amount isn't on the instrument's grid, else None."""
    for field, value, step in (("quantity", quantity, "lot_size"), ("price", price, "tick_size")):
        if off_grid(value, instrument[step]):
            return ApiError(
                422,
                f"off_{step}",
                f"{field}: {plain(value)} is not a multiple of {symbol}'s {step} "
                f"{plain(instrument[step])}.",
            )
    return None
