"""Changes of an order: to the version that was seen, once, or not at all."""

import asyncio
import uuid

import pytest
from conftest import API, place


async def amend(task, order_id, if_match=None, **change):
    headers = {"If-Match": if_match} if if_match else {}
    return await task.http.patch(f"{API}/orders/{order_id}", json=change, headers=headers)


async def cancel(task, order_id, if_match=None):
    headers = {"If-Match": if_match} if if_match else {}
    return await task.http.post(f"{API}/orders/{order_id}/cancel", headers=headers)


@pytest.fixture
async def task(start):
    return await start()


@pytest.fixture
async def order(task):
    return (await place(task.http)).json()["id"]


async def test_an_order_tells_its_version(task):
    placed = await place(task.http, key="versioned")
    assert (placed.headers["ETag"], placed.json()["version"]) == ('"1"', 1)
    path = f"{API}/orders/{placed.json()['id']}"
    assert (await task.http.get(path)).headers["ETag"] == '"1"'
    same = await task.http.get(path, headers={"If-None-Match": '"1"'})
    assert (same.status_code, same.content) == (304, b"")
    other = await task.http.get(path, headers={"If-None-Match": '"2"'})
    assert other.status_code == 200
    again = await place(task.http, key="versioned")
    assert (again.status_code, again.headers["ETag"]) == (200, '"1"')


async def test_an_amendment_changes_what_it_names(task, order):
    first = await amend(task, order, '"1"', price="99.5")
    assert first.status_code == 200, first.text
    body = first.json()
    assert (body["price"], body["quantity"], body["version"]) == ("99.5", "1.5", 2)
    assert first.headers["ETag"] == '"2"'
    assert (await amend(task, order, "*", quantity="2")).json()["version"] == 3


async def test_a_change_to_an_old_version_is_refused_and_changes_nothing(task, order, sql):
    await amend(task, order, '"1"', price="99.5")
    for refused in (
        await amend(task, order, '"1"', price="98"),
        await amend(task, order, 'W/"2"', price="98"),
        await amend(task, order, '"of-nobody"', price="98"),
        await cancel(task, order, '"1"'),
    ):
        assert (refused.status_code, refused.headers["ETag"]) == (412, '"2"')
        assert refused.json()["error"]["code"] == "order_changed"
    row = await sql.fetchrow("SELECT price, version, status FROM orders")
    assert (str(row["price"]), row["version"], row["status"]) == ("99.50000000", 2, "accepted")


async def test_a_change_names_a_version(task, order):
    for refused in (await amend(task, order, price="98"), await cancel(task, order)):
        assert refused.status_code == 428
        assert "If-Match" in refused.json()["error"]["message"]
    for malformed in ("1", '"1', '"1" "2"', "*, *"):
        assert (await cancel(task, order, malformed)).status_code == 400
    # One of several is enough.
    assert (await cancel(task, order, '"7", "1"')).status_code == 200


async def test_a_change_sent_again_is_answered_as_before(task, order):
    first = await amend(task, order, '"1"', price="99.5")
    again = await amend(task, order, '"1"', price="99.5")
    assert (again.status_code, again.json()) == (200, first.json())
    first = await cancel(task, order, '"2"')
    again = await cancel(task, order, '"2"')
    assert first.json()["status"] == "cancelled"
    assert (again.status_code, again.json()) == (200, first.json())


async def test_of_many_changes_to_one_version_one_is_made(start, order):
    tasks = [await start(), await start()]
    answers = await asyncio.gather(
        *(amend(tasks[n % 2], order, '"1"', price=str(50 + n)) for n in range(20))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 19
    (won,) = [answer.json() for answer in answers if answer.status_code == 200]
    assert (await tasks[0].http.get(f"{API}/orders/{order}")).json() == won


async def test_a_closed_order_changes_no_more(task, order):
    assert (await cancel(task, order, "*")).json()["version"] == 2
    refused = await amend(task, order, '"2"', price="98")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "order_closed")
    assert "is cancelled" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"price": "99.505"}, "price: 99.505 is not a multiple of SOL-USD's tick_size 0.01"),
        ({"quantity": "0.0005"}, "quantity: 0.0005 is not a multiple"),
        ({}, "name quantity, price or both"),
        ({"symbol": "BTC-USD"}, "symbol: Extra inputs are not permitted"),
        ({"price": 5}, "price: send it as a string"),
    ],
)
async def test_an_impossible_amendment_is_refused_with_the_reason(task, order, change, says):
    refused = await amend(task, order, '"1"', **change)
    assert refused.status_code == 422, refused.text
    assert says in refused.json()["error"]["message"]
    assert (await task.http.get(f"{API}/orders/{order}")).json()["version"] == 1


async def test_an_unknown_order_is_404(task):
    for answer in (
        await amend(task, uuid.uuid4(), "*", price="1"),
        await cancel(task, uuid.uuid4(), "*"),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_order")
