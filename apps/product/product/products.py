"""Products. A change names the version that it was made from, so that none is overwritten."""

import re
from datetime import datetime
from typing import Annotated

import asyncpg
from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from product.database import Database
from product.errors import ApiError, refusals
from product.money import Price

SKU = r"^[a-z0-9][a-z0-9-]{0,62}$"
router = APIRouter(prefix="/products", tags=["products"])
_COLUMNS = "sku, name, description, price, currency, stock, version, updated_at"

Sku = Annotated[str, Path(pattern=SKU, examples=["brass-compass"])]
IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", description='The ETag that the change was made from, such as "3".'),
]
_EXAMPLE = {
    "name": "Brass compass",
    "description": "Liquid-damped, with a lid.",
    "price": "48.00",
    "currency": "EUR",
    "stock": 25,
}
_UNKNOWN = {404: "There is no such product."}
_CHANGES = {
    400: "If-Match is no ETag, or the body is no JSON.",
    **_UNKNOWN,
    412: "The product has changed since that version.",
    428: "If-Match is missing.",
}


class Details(BaseModel):
    """What a product is; `stock` is what is left to reserve."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE]})

    # PostgreSQL keeps no zero character, and a page shows no other control character.
    name: str = Field(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]+$")
    description: str = Field("", max_length=2000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")
    price: Price
    currency: str = Field(pattern=r"^[A-Z]{3}$", description="ISO 4217.")
    stock: int = Field(ge=0, le=1_000_000, strict=True)


class NewProduct(Details):
    """A product with the name that addresses are made of."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"sku": "brass-compass", **_EXAMPLE}]}
    )

    sku: str = Field(pattern=SKU)


class Product(NewProduct):
    """A product as it is stored. `version` counts its changes, reservations among them."""

    version: int
    updated_at: datetime


class Products(BaseModel):
    """One page, by sku. `next` is the `after` of the page that follows, null at the end."""

    products: list[Product]
    next: str | None


def unknown(sku: str) -> ApiError:
    """404 for a product that isn't sold."""
    return ApiError(
        404, "unknown_product", f"There is no product {sku!r}. GET /products lists those there are."
    )


def _stored(row: asyncpg.Record, response: Response) -> Product:
    response.headers["ETag"] = f'"{row["version"]}"'
    return Product(**row)


@router.get("")
async def list_products(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str, Query(pattern=r"^[a-z0-9-]{0,63}$", description="A page's `next`.")] = "",
) -> Products:
    """A page of products. A product that comes or goes meanwhile shifts no other."""
    rows = await request.app.state.database.rows(
        f"SELECT {_COLUMNS} FROM product.products WHERE sku > $1 "  # noqa: S608 - a constant
        "ORDER BY sku LIMIT $2",
        after,
        limit + 1,
    )
    page = [Product(**row) for row in rows[:limit]]
    return Products(products=page, next=page[-1].sku if len(rows) > limit else None)


@router.post(
    "",
    status_code=201,
    responses=refusals({400: "The body is no JSON.", 409: "The sku is taken."}),
)
async def create_product(product: NewProduct, request: Request, response: Response) -> Product:
    """Add a product."""
    row = await request.app.state.database.row(
        f"""
        INSERT INTO product.products (sku, name, description, price, currency, stock)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (sku) DO NOTHING RETURNING {_COLUMNS}
        """,  # noqa: S608 - _COLUMNS is a constant
        product.sku,
        product.name,
        product.description,
        product.price,
        product.currency,
        product.stock,
    )
    if row is None:
        raise ApiError(
            409,
            "sku_taken",
            f"sku: there is a product {product.sku!r} already. Change it with PUT, or take "
            "another sku.",
        )
    response.headers["Location"] = f"{request.url.path}/{product.sku}"
    return _stored(row, response)


@router.get("/{sku}", responses=refusals(_UNKNOWN))
async def get_product(sku: Sku, request: Request, response: Response) -> Product:
    """One product; its ETag is what a change of it has to name."""
    row = await request.app.state.database.row(
        f"SELECT {_COLUMNS} FROM product.products WHERE sku = $1",  # noqa: S608 - a constant
        sku,
    )
    if row is None:
        raise unknown(sku)
    return _stored(row, response)


@router.put("/{sku}", responses=refusals(_CHANGES))
async def replace_product(
    sku: Sku, details: Details, request: Request, response: Response, if_match: IfMatch = None
) -> Product:
    """Replace all of a product but its sku."""
    version = _version(sku, if_match)
    row = await request.app.state.database.row(
        f"""
        UPDATE product.products SET name = $3, description = $4, price = $5, currency = $6,
            stock = $7, version = version + 1, updated_at = clock_timestamp()
        WHERE sku = $1 AND version = $2 RETURNING {_COLUMNS}
        """,  # noqa: S608 - _COLUMNS is a constant
        sku,
        version,
        details.name,
        details.description,
        details.price,
        details.currency,
        details.stock,
    )
    if row is None:
        raise await _not_as_named(request.app.state.database, sku, version)
    return _stored(row, response)


@router.delete(
    "/{sku}",
    status_code=204,
    responses=refusals({**_CHANGES, 409: "It has reservations."}),
)
async def delete_product(sku: Sku, request: Request, if_match: IfMatch = None) -> None:
    """Take a product out of the shop, unless something of it was ever reserved."""
    version = _version(sku, if_match)
    database: Database = request.app.state.database
    try:
        row = await database.row(
            "DELETE FROM product.products WHERE sku = $1 AND version = $2 RETURNING sku",
            sku,
            version,
        )
    except asyncpg.ForeignKeyViolationError as error:
        raise ApiError(
            409,
            "product_has_reservations",
            f"{sku!r} was reserved or sold, and orders refer to it. Set its stock to 0 instead.",
        ) from error
    if row is None:
        raise await _not_as_named(database, sku, version)


def _version(sku: str, if_match: str | None) -> int:
    """The version that If-Match names."""
    if if_match is None:
        raise ApiError(
            428,
            "if_match_missing",
            f"If-Match is missing. GET {sku!r} and send its ETag, so that no change of another "
            "is overwritten.",
        )
    if not (found := re.fullmatch(r'"([1-9][0-9]{0,17})"', if_match)):
        raise ApiError(
            400,
            "invalid_if_match",
            f'If-Match {if_match!r} is no ETag of a product. Send one such as "3", with its '
            "quotation marks.",
        )
    return int(found[1])


async def _not_as_named(database: Database, sku: str, version: int) -> ApiError:
    """Why there was no row with that sku and version."""
    row = await database.row("SELECT version FROM product.products WHERE sku = $1", sku)
    if row is None:
        return unknown(sku)
    return ApiError(
        412,
        "product_changed",
        f"{sku!r} is at version {row['version']}, not {version}: it has changed since you read "
        "it. Read it again and repeat your change.",
        {"ETag": f'"{row["version"]}"'},
    )
