"""Requests that nobody means well: every one is told what is wrong, none breaks anything."""

import asyncio
import json

import contract
import httpx
import pytest
from conftest import API, LAMP

NASTY = ["'; DROP TABLE product.products; --", "\x00", "\ud800", "${jndi:x}", "a" * 9000]


async def put(http: httpx.AsyncClient, content: bytes) -> httpx.Response:
    given = {"Content-Type": "application/json", "If-Match": '"1"'}
    return await http.put(f"{API}/products/lamp", content=content, headers=given)


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("field", ["price", "currency", "stock"])
async def test_texts_that_attack_are_refused(http, field, text):
    answer = await put(http, json.dumps({**LAMP, field: text}).encode())
    assert answer.status_code == 422, answer.text
    assert (await http.get(f"{API}/products/lamp")).json()["price"] == LAMP["price"]


@pytest.mark.parametrize("text", NASTY)
async def test_a_name_is_kept_as_it_is_or_refused(http, text):
    answer = await put(http, json.dumps({**LAMP, "name": text}).encode())
    assert answer.status_code in (200, 422), answer.text
    if answer.status_code == 200:
        assert (await http.get(f"{API}/products/lamp")).json()["name"] == text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b"[" * 8000,
        b'{"stock": 1e400}',
        b'{"stock": ' + b"9" * 5000 + b"}",
        b'{"price": NaN}',
        b'{"name": {"$ne": 1}, "price": [], "stock": {}}',
    ],
)
async def test_bodies_that_are_no_product_are_refused(http, body):
    answer = await put(http, body)
    assert answer.status_code in (400, 422), answer.text
    error = answer.json()["error"]
    assert error["code"] and error["message"]
    assert "Traceback" not in answer.text and "pydantic" not in answer.text


@pytest.mark.parametrize(
    "path",
    ["products/' OR 1=1", "products/%00", "products/%FF", "reservations/%00", "products?limit=%00"],
)
async def test_paths_that_attack_are_refused(http, path):
    answer = await http.get(f"{API}/{path}")
    assert answer.status_code in (404, 422), answer.text
    assert "SELECT" not in answer.text


async def test_it_keeps_to_its_openapi_document(process, migrated, sql):
    """Generated requests, right and wrong, for each operation of the OpenAPI document."""
    service = await process({**migrated, "LOG_LEVEL": "error", "DRAIN_DELAY": "0"}).serving()
    async with httpx.AsyncClient(base_url=service.url, timeout=60) as http:
        answer = await http.post(f"{API}/products", json={"sku": "lamp", **LAMP})
        assert answer.status_code == 201, answer.text

    count, found = await asyncio.to_thread(
        contract.findings, f"{service.url}{API}/openapi.json", contract.FASTAPI
    )
    assert not found, found
    assert count > 100
