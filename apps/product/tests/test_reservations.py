"""Reservations: never more than there is, never twice, and always ended one way."""

import asyncio
import uuid

import pytest
from conftest import API, LAMP, reserve


async def stock(http):
    return (await http.get(f"{API}/products/lamp")).json()["stock"]


async def end(http, reservation, step):
    return await http.post(f"{API}/reservations/{reservation.json()['id']}/{step}")


async def test_a_reservation_takes_stock_at_the_price_of_the_moment(http):
    held = await reserve(http, 2)
    assert held.status_code == 201
    assert held.json()["state"] == "held"
    assert (held.json()["unit_price"], held.json()["currency"]) == ("34.90", "EUR")
    assert await stock(http) == 3
    read = await http.get(f"{API}/reservations/{held.json()['id']}")
    assert read.json() == held.json()


async def test_many_at_once_get_no_more_than_there_is(http, sql):
    answers = await asyncio.gather(*(reserve(http, 1) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [201] * 5 + [409] * 15
    assert await stock(http) == 0
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert refused.json()["error"]["code"] == "out_of_stock"
    assert await sql.fetchval("SELECT sum(quantity) FROM product.reservations") == 5


async def test_a_key_reserves_once_however_often_it_comes(http):
    answers = await asyncio.gather(*(reserve(http, 2, "one") for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [200] * 9 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await stock(http) == 3
    # Also when there is too little left for another.
    assert (await reserve(http, 3)).status_code == 201
    assert (await reserve(http, 2, "one")).status_code == 200


async def test_a_key_belongs_to_one_body_and_one_product(http):
    await reserve(http, 2, "one")
    other = await reserve(http, 1, "one")
    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_key_reused")
    await http.post(f"{API}/products", json={"sku": "other", **LAMP})
    elsewhere = await http.post(
        f"{API}/products/other/reservations",
        json={"quantity": 2},
        headers={"Idempotency-Key": "one"},
    )
    assert elsewhere.json()["error"]["code"] == "idempotency_key_reused"
    assert (await http.get(f"{API}/products/other")).json()["stock"] == 5


@pytest.mark.parametrize(
    ("step", "state", "left"), [("confirm", "confirmed", 3), ("release", "released", 5)]
)
async def test_an_end_is_reached_once(http, step, state, left):
    held = await reserve(http, 2)
    answers = await asyncio.gather(*(end(http, held, step) for _ in range(5)))
    assert [(answer.status_code, answer.json()["state"]) for answer in answers] == [
        (200, state)
    ] * 5
    assert await stock(http) == left
    other = await end(http, held, {"confirm": "release", "release": "confirm"}[step])
    assert (other.status_code, other.json()["error"]["code"]) == (409, f"reservation_{state}")
    assert await stock(http) == left


async def test_a_hold_that_nobody_ends_goes_back(start, sql):
    task = await start()
    await task.http.post(f"{API}/products", json={"sku": "lamp", **LAMP})
    held = await reserve(task.http, 5)
    assert (await reserve(task.http, 1)).status_code == 409
    await sql.execute("UPDATE product.reservations SET expires_at = now() - interval '1 s'")
    assert (await reserve(task.http, 4)).status_code == 201
    assert await stock(task.http) == 1
    late = await end(task.http, held, "confirm")
    assert (late.status_code, late.json()["error"]["code"]) == (409, "reservation_expired")
    assert (await end(task.http, held, "release")).json()["state"] == "expired"
    assert await stock(task.http) == 1


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ({"quantity": 0}, {"Idempotency-Key": "k"}, 422),
        ({"quantity": 101}, {"Idempotency-Key": "k"}, 422),
        ({"quantity": "2"}, {"Idempotency-Key": "k"}, 422),
        ({"quantity": 1}, {}, 400),
        ({"quantity": 1}, {"Idempotency-Key": "with space"}, 400),
    ],
)
async def test_a_wrong_reservation_takes_nothing(http, body, headers, status):
    answer = await http.post(f"{API}/products/lamp/reservations", json=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert await stock(http) == 5


async def test_what_is_not_there(http):
    none = await http.post(
        f"{API}/products/none/reservations", json={"quantity": 1}, headers={"Idempotency-Key": "k"}
    )
    assert none.status_code == 404
    for answer in (
        await http.get(f"{API}/reservations/{uuid.uuid4()}"),
        await http.post(f"{API}/reservations/{uuid.uuid4()}/release"),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_reservation")
    assert (await http.get(f"{API}/nothing")).json()["error"]["code"] == "http_404"
