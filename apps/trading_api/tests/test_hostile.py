"""Requests that nobody means well: every one is told what is wrong, none breaks anything."""

import asyncio
import json

import contract
import httpx
import pytest
from conftest import API, ORDER, place, settings_for

from trading_api.app import create_app

NASTY = ["' OR 1=1 --", "'; DROP TABLE orders; --", "\x00", "\ud800", "${jndi:x}", "%00", "a" * 900]


async def post(http, content, **headers):
    given = {"Idempotency-Key": "hostile", "Content-Type": "application/json", **headers}
    return await http.post(f"{API}/orders", content=content, headers=given)


@pytest.fixture
async def http(start):
    return (await start()).http


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("field", ["symbol", "side", "quantity", "note"])
async def test_texts_that_attack_are_refused(http, sql, field, text):
    answer = await post(http, json.dumps({**ORDER, field: text}).encode())
    assert answer.status_code == 422, answer.text
    answer = await post(http, json.dumps({**ORDER, text: "1"}).encode())
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_request")
    assert await sql.fetchval("SELECT count(*) FROM orders") == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"order"',
        b"{",
        b"\xff\xfe",
        b"[" * 8000,
        b'{"quantity": 1e400}',
        b'{"quantity": ' + b"9" * 5000 + b"}",
        b'{"symbol": {"$ne": 1}, "side": ["buy"], "quantity": {}, "price": []}',
        b'{"price": NaN}',
    ],
)
async def test_bodies_that_are_no_order_are_refused(http, body):
    answer = await post(http, body)
    assert answer.status_code in (400, 422), answer.text
    error = answer.json()["error"]
    assert error["code"] and error["message"] and error["request_id"]
    assert "Traceback" not in answer.text and "pydantic" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "orders/' OR 1=1",
        "orders/%00",
        "instruments/%00",
        "instruments/%FF",
        "prices/..%2f..%2fetc",
        "positions/SOL-USD%0d%0aX-Evil:1",
        "orders?symbol='--",
        "orders?status=%00",
        "orders?cursor=%00",
    ],
)
async def test_paths_that_attack_are_refused(http, path):
    answer = await http.get(f"{API}/{path}")
    assert answer.status_code in (404, 422), answer.text
    assert "X-Evil" not in answer.headers
    assert "SELECT" not in answer.text


async def test_headers_are_not_echoed_into_headers(http):
    strange = {"X-Request-Id": "a\tb; Set-Cookie: x=1", "traceparent": "x" * 2000}
    answer = await post(http, json.dumps(ORDER).encode(), **strange)
    assert answer.status_code == 201
    assert "Set-Cookie" not in str(answer.headers)
    for key in ("a\tb", b"\xe4\xe4", "x" * 129):
        refused = await post(http, json.dumps(ORDER).encode(), **{"Idempotency-Key": key})
        assert refused.status_code == 400


def test_the_document_has_examples_and_says_how_it_refuses(migrated):
    document = create_app(settings_for(migrated)).openapi()
    schemas = document["components"]["schemas"]
    for name in ("NewOrder", "Order", "OrderChange", "NewFill", "Position", "Price", "Refusal"):
        assert schemas[name].get("examples"), name
    for path, operations in document["paths"].items():
        if path.startswith(API) and not path.endswith(("/health", "/ready")):
            for method, operation in operations.items():
                problems = [code for code in operation["responses"] if code.startswith("4")]
                assert problems, f"{method} {path} says nothing of refusals"


async def test_it_keeps_to_its_openapi_document(process, migrated, sql):
    """Generated requests, right and wrong, for each operation of the OpenAPI document."""
    told = {**migrated, "LOG_LEVEL": "error", "DRAIN_DELAY": "0", "RECEIVE_TIMEOUT": "30"}
    service = await process(told, measured=False).serving()
    async with httpx.AsyncClient(base_url=service.url, timeout=60) as http:
        await place(http)

    count, found = await asyncio.to_thread(
        contract.findings, f"{service.url}{API}/openapi.json", contract.FASTAPI
    )
    assert not found, found
    assert count > 200
