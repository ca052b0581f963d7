"""Orders: stored exactly, once per key, refused with reasons."""

import asyncio
import uuid
from decimal import Decimal

import pytest
from conftest import API, ORDER, place

from trading_api import orders


async def test_an_order_is_stored_and_read_back(start, sql):
    task = await start()
    placed = await place(task.http, key="first")
    assert placed.status_code == 201, placed.text
    body = placed.json()
    assert {name: body[name] for name in ORDER} == ORDER
    assert body["status"] == "accepted"

    read = await task.http.get(placed.headers["Location"])
    assert read.status_code == 200
    assert read.json() == body

    row = await sql.fetchrow("SELECT * FROM orders")
    assert (str(row["id"]), row["idempotency_key"]) == (body["id"], "first")


async def test_what_is_rendered_by_hand_is_what_the_model_says(sql):
    rows = await sql.fetch(
        "SELECT $1::uuid AS id, 'SOL-USD' AS symbol, 'sell' AS side, amount AS quantity,"
        " amount * 3 AS price, 0::numeric(20, 8) AS filled, 'partly_filled' AS status,"
        " 7 AS version, made AS created_at"
        " FROM unnest($2::numeric(20, 8)[]) AS amount,"
        " unnest(ARRAY['2026-01-02 03:04:05Z', '2026-01-02 03:04:05.5+02',"
        " '1999-12-31 23:59:59.000001Z']::timestamptz[]) AS made",
        uuid.uuid4(),
        [Decimal(one) for one in ("1.5", "100", "0.00000001", "999999999999.99999999")],
    )
    assert len(rows) == 12
    for row in rows:
        assert orders.rendered(row) == orders.Order(**row).model_dump_json()


async def test_amounts_keep_every_digit(start, sql):
    await sql.execute(
        "INSERT INTO instruments (symbol, name, tick_size, lot_size) "
        "VALUES ('DUST-USD', 'Dust', 0.00000001, 0.00000001) ON CONFLICT DO NOTHING"
    )
    task = await start()
    amounts = {"quantity": "999999999999.99999999", "price": "0.00000001"}
    placed = await place(task.http, symbol="DUST-USD", **amounts)
    assert placed.status_code == 201, placed.text
    assert {name: placed.json()[name] for name in amounts} == amounts


async def test_the_same_request_again_answers_with_the_stored_order(start, sql):
    task = await start()
    first = await place(task.http, key="again")
    # Trailing zeros mean the same amount.
    second = await place(task.http, key="again", quantity="1.50", price="101.250")
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json() == first.json()
    assert second.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert await sql.fetchval("SELECT count(*) FROM orders") == 1


async def test_a_replay_works_after_the_instrument_was_halted(start, sql):
    task = await start()
    first = await place(task.http, key="halt")
    await sql.execute("UPDATE instruments SET status = 'halted' WHERE symbol = 'SOL-USD'")
    assert (await place(task.http, key="halt")).json() == first.json()


async def test_a_key_used_for_another_body_is_a_conflict(start, sql):
    task = await start()
    first = await place(task.http, key="mine")
    other = await place(task.http, key="mine", quantity="2")
    assert other.status_code == 409
    error = other.json()["error"]
    assert error["code"] == "idempotency_key_reused"
    assert first.json()["id"] in error["message"]
    assert await sql.fetchval("SELECT count(*) FROM orders") == 1


async def test_twenty_at_once_with_one_key_make_one_row(start, sql):
    tasks = [await start(), await start()]
    answers = await asyncio.gather(*(place(tasks[n % 2].http, key="storm") for n in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await sql.fetchval("SELECT count(*) FROM orders") == 1


async def test_two_bodies_racing_for_one_key_store_one(start, sql):
    task = await start()
    answers = await asyncio.gather(
        *(place(task.http, key="race", quantity=str(1 + n % 2)) for n in range(20))
    )
    assert await sql.fetchval("SELECT count(*) FROM orders") == 1
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200] * 9 + [201] + [409] * 10


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"symbol": "sol"}, "symbol: String should match pattern"),
        ({"side": "hold"}, "side: Input should be 'buy' or 'sell'"),
        ({"quantity": 1.5}, 'quantity: send it as a string, "1.5"'),
        ({"quantity": True}, "quantity: it must be a decimal string"),
        ({"quantity": "0"}, "quantity: it must be more than 0"),
        ({"quantity": "-1"}, "quantity: it must be a decimal string"),
        ({"price": "1e3"}, "price: it must be a decimal string"),
        ({"price": "NaN"}, "price: it must be a decimal string"),
        ({"price": "1.123456789"}, "8 after it"),
        ({"price": None}, "price: it must be a decimal string"),
        ({"note": "x"}, "note: Extra inputs are not permitted"),
        ({"symbol": "NO-SUCH"}, "there is no instrument 'NO-SUCH'"),
        ({"quantity": "0.0005"}, "quantity: 0.0005 is not a multiple of SOL-USD's lot_size 0.001"),
        ({"price": "1.005"}, "price: 1.005 is not a multiple of SOL-USD's tick_size 0.01"),
    ],
)
async def test_a_wrong_order_is_refused_with_the_reason(start, sql, change, says):
    task = await start()
    answer = await place(task.http, **change)
    assert answer.status_code == 422, answer.text
    assert says in answer.json()["error"]["message"]
    assert await sql.fetchval("SELECT count(*) FROM orders") == 0


async def test_a_halted_instrument_takes_no_orders(start, sql):
    await sql.execute("UPDATE instruments SET status = 'halted' WHERE symbol = 'SOL-USD'")
    answer = await place((await start()).http)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "instrument_halted")


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "two words"}])
async def test_a_missing_or_malformed_key_is_refused(start, headers):
    task = await start()
    answer = await task.http.post(f"{API}/orders", json=ORDER, headers=headers)
    assert answer.status_code == 400
    assert "Idempotency-Key" in answer.json()["error"]["message"]


async def test_a_body_that_is_not_json_is_refused(start):
    task = await start()
    answer = await task.http.post(
        f"{API}/orders", content=b"{", headers={"Idempotency-Key": "k", "Content-Type": "text/json"}
    )
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "invalid_request"


async def test_unknown_things_are_404_in_the_same_shape(start):
    task = await start()
    order = await task.http.get(f"{API}/orders/{uuid.uuid4()}")
    assert (order.status_code, order.json()["error"]["code"]) == (404, "unknown_order")
    path = await task.http.get("/nowhere")
    assert (path.status_code, path.json()["error"]["code"]) == (404, "http_404")
    method = await task.http.delete(f"{API}/orders")
    assert (method.status_code, method.json()["error"]["code"]) == (405, "http_405")
    malformed = await task.http.get(f"{API}/orders/7")
    assert malformed.status_code == 422


async def test_after_a_failover_the_pool_leaves_the_demoted_primary(start, sql, migrated):
    name = migrated["DATABASE_NAME"]
    await sql.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    try:
        task = await start(database_pool_max=2)
        refused = await place(task.http)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    finally:
        await sql.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    assert (await place(task.http)).status_code == 201
