"""Reservations: stock that is set aside for an order, then sold or given back.

A product's row is the lock: who reserves, confirms or releases takes it first, so no two ever
count the same stock. A hold that nobody confirms ends by itself; its stock goes back when the
next one asks for that product.
"""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID, uuid4

import asyncpg
import structlog
from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from product.errors import ApiError, refusals
from product.money import Price
from product.products import Sku, unknown

router = APIRouter(tags=["reservations"])
_COLUMNS = "id, sku, quantity, unit_price, currency, state, expires_at"
_HELD = {"confirm": "confirmed", "release": "released"}

IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,128}$",
        description="Names this one reservation: 1 to 128 printable characters, such as the "
        "order's id. Sent again with the same body, it answers with what was reserved.",
    ),
]


class NewReservation(BaseModel):
    """How many to set aside."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"quantity": 2}]})

    quantity: int = Field(ge=1, le=100, strict=True)


class Reservation(BaseModel):
    """Stock set aside at the price of that moment."""

    id: UUID
    sku: str
    quantity: int
    unit_price: Price
    currency: str
    state: Literal["held", "confirmed", "released", "expired"]
    expires_at: datetime


@router.post(
    "/products/{sku}/reservations",
    status_code=201,
    responses={
        200: {"description": "The key was used before; this is its reservation."},
        **refusals(
            {
                400: "Idempotency-Key is missing or can't be used, or the body is no JSON.",
                404: "There is no such product.",
                409: "Too little stock, or the key belongs to another reservation.",
            }
        ),
    },
)
async def reserve(
    sku: Sku, wanted: NewReservation, key: IdempotencyKey, request: Request, response: Response
) -> Reservation:
    """Set stock aside, once per idempotency key, all of it or nothing."""
    state = request.app.state
    async with state.database.connection() as connection, connection.transaction():
        product = await _locked(connection, sku)
        if product is None:
            raise unknown(sku)
        row = await connection.fetchrow(
            f"SELECT {_COLUMNS} FROM product.reservations "  # noqa: S608 - a constant
            "WHERE idempotency_key = $1",
            key,
        )
        if row is None:
            left = await _expire(connection, sku) or product["stock"]
            if left < wanted.quantity:
                raise ApiError(
                    409,
                    "out_of_stock",
                    f"{sku!r}: {wanted.quantity} wanted, {left} left. Nothing was reserved.",
                )
            row = await connection.fetchrow(
                f"""
                INSERT INTO product.reservations
                    (id, idempotency_key, sku, quantity, unit_price, currency, expires_at)
                VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp() + make_interval(secs => $7))
                ON CONFLICT (idempotency_key) DO NOTHING RETURNING {_COLUMNS}
                """,  # noqa: S608 - _COLUMNS is a constant
                uuid4(),
                key,
                sku,
                wanted.quantity,
                product["price"],
                product["currency"],
                state.settings.reservation_seconds,
            )
            if row is None:
                # Another product's reservation took the key just now.
                raise _reused(key)
            await _add(connection, sku, -wanted.quantity)
        else:
            if (row["sku"], row["quantity"]) != (sku, wanted.quantity):
                raise _reused(key)
            response.status_code = 200
            response.headers["Idempotent-Replayed"] = "true"
    structlog.contextvars.bind_contextvars(reservation_id=str(row["id"]))
    return Reservation(**row)


@router.get(
    "/reservations/{reservation_id}", responses=refusals({404: "There is no such reservation."})
)
async def get_reservation(reservation_id: UUID, request: Request) -> Reservation:
    """One reservation."""
    row = await request.app.state.database.row(
        f"SELECT {_COLUMNS} FROM product.reservations WHERE id = $1",  # noqa: S608 - a constant
        reservation_id,
    )
    if row is None:
        raise _unknown(reservation_id)
    return Reservation(**row)


@router.post(
    "/reservations/{reservation_id}/{step}",
    responses=refusals({404: "There is no such reservation.", 409: "It has ended otherwise."}),
)
async def end_reservation(
    reservation_id: UUID, step: Literal["confirm", "release"], request: Request
) -> Reservation:
    """Sell what was set aside, or give it back. Both can be asked again and do it once."""
    wanted = _HELD[step]
    async with request.app.state.database.connection() as connection, connection.transaction():
        sku = await connection.fetchval(
            "SELECT sku FROM product.reservations WHERE id = $1", reservation_id
        )
        if sku is None:
            raise _unknown(reservation_id)
        await _locked(connection, sku)
        row = await connection.fetchrow(
            f"""
            UPDATE product.reservations SET state = $2
            WHERE id = $1 AND state = 'held' RETURNING {_COLUMNS}
            """,  # noqa: S608 - _COLUMNS is a constant
            reservation_id,
            wanted,
        )
        if row is not None:
            if wanted == "released":
                await _add(connection, sku, row["quantity"])
            return Reservation(**row)
        row = await connection.fetchrow(
            f"SELECT {_COLUMNS} FROM product.reservations WHERE id = $1",  # noqa: S608
            reservation_id,
        )
    # What has expired has been given back, which is all that a release wants.
    if row["state"] == wanted or (wanted, row["state"]) == ("released", "expired"):
        return Reservation(**row)
    raise ApiError(
        409,
        f"reservation_{row['state']}",
        f"Reservation {reservation_id} can't be {wanted}: it is {row['state']}.",
    )


async def _locked(connection: asyncpg.Connection, sku: str) -> asyncpg.Record | None:
    return await connection.fetchrow(
        "SELECT price, currency, stock FROM product.products WHERE sku = $1 FOR UPDATE", sku
    )


async def _add(connection: asyncpg.Connection, sku: str, quantity: int) -> int:
    """Change the stock of a locked product; the result is the stock then."""
    return await connection.fetchval(
        """
        UPDATE product.products SET stock = stock + $2, version = version + 1,
            updated_at = clock_timestamp()
        WHERE sku = $1 RETURNING stock
        """,
        sku,
        quantity,
    )


async def _expire(connection: asyncpg.Connection, sku: str) -> int | None:
    """Give back what was held too long of a locked product; the stock then, None if unchanged."""
    back = await connection.fetchval(
        """
        WITH ended AS (
            UPDATE product.reservations SET state = 'expired'
            WHERE sku = $1 AND state = 'held' AND expires_at < clock_timestamp()
            RETURNING quantity
        )
        SELECT sum(quantity)::integer FROM ended
        """,
        sku,
    )
    return await _add(connection, sku, back) if back else None


def _unknown(reservation_id: UUID) -> ApiError:
    return ApiError(404, "unknown_reservation", f"There is no reservation {reservation_id}.")


def _reused(key: str) -> ApiError:
    return ApiError(
        409,
        "idempotency_key_reused",
        f"Idempotency-Key {key!r} belongs to a reservation of something else. Send that body "
        "again, or this one with a new key.",
    )
