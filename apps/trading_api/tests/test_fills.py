"""Fills, and the positions and prices that are made of them."""

import asyncio
import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from conftest import API, place, redis_url
from test_pages import pages


async def fill(task, order_id, fill_id, quantity="0.5", price="101"):
    return await task.http.put(
        f"{API}/orders/{order_id}/fills/{fill_id}", json={"quantity": quantity, "price": price}
    )


@pytest.fixture
async def task(start):
    return await start(cache_memory_ttl=0)


@pytest.fixture
async def order(task):
    return (await place(task.http)).json()["id"]


async def test_fills_add_up_until_the_order_is_filled(task, order):
    first = await fill(task, order, "a")
    assert first.status_code == 201, first.text
    assert (first.json()["side"], first.json()["symbol"]) == ("buy", "SOL-USD")
    after = (await task.http.get(f"{API}/orders/{order}")).json()
    assert (after["filled"], after["status"], after["version"]) == ("0.5", "partly_filled", 2)
    assert (await fill(task, order, "b", quantity="1")).status_code == 201
    after = (await task.http.get(f"{API}/orders/{order}")).json()
    assert (after["filled"], after["status"]) == ("1.5", "filled")
    found = await pages(task.http, f"{API}/orders/{order}/fills", "fills", limit=1)
    assert [one["id"] for page in found for one in page] == ["a", "b"]
    closed = await task.http.post(f"{API}/orders/{order}/cancel", headers={"If-Match": "*"})
    assert (closed.status_code, closed.json()["error"]["code"]) == (409, "order_closed")


async def test_a_fill_reported_again_counts_once(start, task, order):
    tasks = [task, await start()]
    answers = await asyncio.gather(*(fill(tasks[n % 2], order, "same") for n in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert (await task.http.get(f"{API}/orders/{order}")).json()["filled"] == "0.5"
    other = await fill(task, order, "same", price="100")
    assert (other.status_code, other.json()["error"]["code"]) == (409, "fill_differs")


async def test_racing_fills_never_fill_more_than_the_order(start, task, order):
    tasks = [task, await start()]
    answers = await asyncio.gather(*(fill(tasks[n % 2], order, f"f{n}") for n in range(12)))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 9
    assert (await task.http.get(f"{API}/orders/{order}")).json()["filled"] == "1.5"


async def test_impossible_fills_are_refused(task, order):
    much = await fill(task, order, "much", quantity="2")
    assert (much.status_code, much.json()["error"]["code"]) == (409, "overfilled")
    worse = await fill(task, order, "worse", price="102")
    assert (worse.status_code, worse.json()["error"]["code"]) == (422, "worse_than_limit")
    sale = (await place(task.http, side="sell")).json()["id"]
    assert (await fill(task, sale, "worse", price="101")).status_code == 422
    unknown = await fill(task, uuid.uuid4(), "a")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "unknown_order")
    assert (await fill(task, order, "two words")).status_code == 422
    missing = await task.http.get(f"{API}/orders/{uuid.uuid4()}/fills")
    assert missing.status_code == 404
    await task.http.post(f"{API}/orders/{sale}/cancel", headers={"If-Match": "*"})
    assert (await fill(task, sale, "late", price="102")).status_code == 409


async def test_an_amendment_can_not_undo_a_fill(task, order):
    await fill(task, order, "a")
    refused = await task.http.patch(
        f"{API}/orders/{order}", json={"quantity": "0.5"}, headers={"If-Match": "*"}
    )
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "below_filled")


async def test_a_position_is_the_sum_of_its_fills(task, order):
    await fill(task, order, "a", quantity="1", price="101")
    sale = (await place(task.http, side="sell", quantity="3", price="102")).json()["id"]
    await fill(task, sale, "a", quantity="1.5", price="102.5")
    answer = await task.http.get(f"{API}/positions/SOL-USD")
    position = answer.json()
    del position["as_of"]
    assert position == {
        "symbol": "SOL-USD",
        "quantity": "-0.5",
        "bought": "1",
        "bought_for": "101",
        "sold": "1.5",
        "sold_for": "153.75",
        "fills": 2,
    }
    assert answer.headers["X-Cache"] == "miss"
    assert (await task.http.get(f"{API}/positions/SOL-USD")).headers["X-Cache"] == "hit"
    (listed,) = (await task.http.get(f"{API}/positions")).json()["positions"]
    assert listed["quantity"] == "-0.5"


async def test_a_position_without_fills_is_nought_and_an_unknown_one_404(task):
    flat = (await task.http.get(f"{API}/positions/SOL-USD")).json()
    assert (flat["quantity"], flat["fills"]) == ("0", 0)
    for symbol in ("NO-SUCH", "sol"):
        assert (await task.http.get(f"{API}/positions/{symbol}")).status_code == 404


async def test_a_fill_is_seen_in_the_position_at_once(start, task, order):
    other = await start(cache_memory_ttl=0)
    assert (await other.http.get(f"{API}/positions/SOL-USD")).json()["fills"] == 0
    await fill(task, order, "a")
    assert (await other.http.get(f"{API}/positions/SOL-USD")).json()["fills"] == 1


async def quote(cache_server, **changes):
    now = datetime.now(UTC) - timedelta(seconds=changes.pop("age", 0))
    value = {"price": "123.45", "observed_at": now.isoformat(), "source": "test", **changes}
    await cache_server.set("market:1:price:SOL-USD", json.dumps(value), ex=60)


@pytest.fixture(autouse=True)
async def no_prices(cache_server):
    yield
    await cache_server.delete("market:1:price:SOL-USD")


async def test_a_price_says_how_old_it_is(task, cache_server):
    await quote(cache_server, age=3)
    fresh = (await task.http.get(f"{API}/prices/SOL-USD")).json()
    assert (fresh["price"], fresh["source"], fresh["stale"]) == ("123.45", "test", False)
    assert 3 <= fresh["age_seconds"] < 15
    await quote(cache_server, age=100)
    old = (await task.http.get(f"{API}/prices/SOL-USD")).json()
    assert old["stale"] and old["age_seconds"] >= 100


async def test_without_an_observed_price_the_last_fill_is_told(
    start, environment, redis_wire, task, order, cache_server
):
    nothing = await task.http.get(f"{API}/prices/SOL-USD")
    assert (nothing.status_code, nothing.json()["error"]["code"]) == (404, "no_price")
    assert (await task.http.get(f"{API}/prices")).json()["prices"] == []
    await fill(task, order, "a", price="100.5")
    await quote(cache_server)
    task = await start(redis_url=redis_url(environment, redis_wire))
    assert (await task.http.get(f"{API}/prices/SOL-USD")).json()["source"] == "test"
    redis_wire.gone()
    told = (await task.http.get(f"{API}/prices/SOL-USD")).json()
    assert (told["price"], told["source"]) == ("100.5", "last_fill")
    (listed,) = (await task.http.get(f"{API}/prices")).json()["prices"]
    assert listed["source"] == "last_fill"


@pytest.mark.parametrize(
    "wrong", [{"price": 5}, {"observed_at": "2026-01-01T00:00:00"}, {"source": None}]
)
async def test_a_price_that_its_writer_spoilt_is_no_price(task, cache_server, wrong):
    await quote(cache_server, **wrong)
    assert (await task.http.get(f"{API}/prices/SOL-USD")).status_code == 404
    await cache_server.set("market:1:price:SOL-USD", b"\xff{", ex=60)
    assert (await task.http.get(f"{API}/prices/SOL-USD")).status_code == 404


@pytest.mark.parametrize("symbol", ["NO-SUCH", "sol"])
async def test_the_price_of_an_unknown_instrument_is_404(task, symbol):
    answer = await task.http.get(f"{API}/prices/{symbol}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_instrument")
