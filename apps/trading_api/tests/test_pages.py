"""Lists by key: whole, without repeats, whatever comes in while they are read."""

import base64
import json

import pytest
from conftest import API, place


async def pages(http, path, of, each=None, **asked):
    """All rows of a list, page by page; `each` runs between two."""
    rows, cursor = [], None
    while True:
        answer = await http.get(path, params={**asked, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        rows.append(answer.json()[of])
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return rows
        if each:
            await each()


async def test_orders_are_listed_newest_first_and_stably_while_others_come(start):
    http = (await start()).http
    placed = [(await place(http)).json()["id"] for _ in range(7)]

    async def another() -> None:
        await place(http)

    found = await pages(http, f"{API}/orders", "orders", each=another, limit=2)
    assert [order["id"] for page in found for order in page] == placed[::-1]
    assert [len(page) for page in found] == [2, 2, 2, 1]


async def test_orders_of_the_same_moment_are_told_apart(start, sql):
    http = (await start()).http
    placed = {(await place(http)).json()["id"] for _ in range(5)}
    await sql.execute("UPDATE orders SET created_at = '2026-01-02T03:04:05.678901Z'")
    found = await pages(http, f"{API}/orders", "orders", limit=1)
    ids = [order["id"] for page in found for order in page]
    assert len(ids) == 5 and set(ids) == placed


async def test_orders_are_filtered(start):
    http = (await start()).http
    await place(http)
    other = (await place(http, symbol="BTC-USD", quantity="1")).json()["id"]
    await http.post(f"{API}/orders/{other}/cancel", headers={"If-Match": "*"})
    for asked, count in (
        ({"symbol": "BTC-USD"}, 1),
        ({"status": "cancelled"}, 1),
        ({"symbol": "SOL-USD", "status": "cancelled"}, 0),
        ({"symbol": "SOL-USD", "status": "accepted"}, 1),
    ):
        found = await pages(http, f"{API}/orders", "orders", **asked)
        assert sum(map(len, found)) == count, asked


async def test_a_page_that_is_just_full_is_the_last(start):
    http = (await start()).http
    for _ in range(2):
        await place(http)
    assert [len(page) for page in await pages(http, f"{API}/orders", "orders", limit=2)] == [2]


@pytest.mark.parametrize("path", ["instruments", "prices", "positions"])
async def test_lists_by_symbol_are_whole(start, path):
    http = (await start()).http
    for number, symbol in enumerate(("BTC-USD", "ETH-USD", "SOL-USD")):
        order = (await place(http, symbol=symbol, quantity="1")).json()["id"]
        fill = {"quantity": "1", "price": "100"}
        done = await http.put(f"{API}/orders/{order}/fills/f{number}", json=fill)
        assert done.status_code == 201, done.text
    found = await pages(http, f"{API}/{path}", path, limit=1)
    symbols = [one["symbol"] for page in found for one in page]
    assert symbols == sorted(set(symbols))
    assert {"BTC-USD", "ETH-USD", "SOL-USD"} <= set(symbols)


def cursor(*parts):
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "wrong",
    [
        "nonsense",
        "A",
        cursor(),
        cursor("orders::"),
        cursor("instruments", "SOL-USD"),
        cursor("orders::", "yesterday", "0"),
        cursor("orders::", -1, "00000000-0000-0000-0000-000000000000"),
        cursor("orders::", 10**30, "00000000-0000-0000-0000-000000000000"),
        cursor("orders::", 1.5, "00000000-0000-0000-0000-000000000000"),
        cursor("orders::", 1, "not-an-id"),
        cursor("orders::", 1, None),
        cursor("orders:SOL-USD:", 1, "00000000-0000-0000-0000-000000000000"),
    ],
)
async def test_what_is_no_cursor_of_the_list_is_refused(start, wrong):
    answer = await (await start()).http.get(f"{API}/orders", params={"cursor": wrong})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_cursor")


async def test_a_cursor_with_a_text_that_postgresql_refuses_is_refused_before(start):
    wrong = cursor("instruments", "SOL-USD\x00")
    answer = await (await start()).http.get(f"{API}/instruments", params={"cursor": wrong})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_cursor")


@pytest.mark.parametrize(
    "asked", [{"limit": 0}, {"limit": 501}, {"limit": "x"}, {"cursor": "%"}, {"symbol": "sol"}]
)
async def test_wrong_parameters_are_refused(start, asked):
    answer = await (await start()).http.get(f"{API}/orders", params=asked)
    assert answer.status_code == 422
    assert next(iter(asked)) in answer.json()["error"]["message"]
