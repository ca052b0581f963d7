"""Products: made, read, changed, paged, taken away; nobody's change is lost."""

import asyncio

import pytest
from conftest import API, LAMP, reserve


async def test_a_product_lives(http):
    made = await http.get(f"{API}/products/lamp")
    assert (made.status_code, made.headers["ETag"]) == (200, '"1"')
    assert {name: made.json()[name] for name in LAMP} == LAMP
    changed = await http.put(
        f"{API}/products/lamp", json={**LAMP, "price": "40"}, headers={"If-Match": '"1"'}
    )
    assert (changed.status_code, changed.json()["price"], changed.json()["version"]) == (
        200, "40.00", 2,
    )  # fmt: skip
    gone = await http.delete(f"{API}/products/lamp", headers={"If-Match": '"2"'})
    assert gone.status_code == 204
    missing = await http.get(f"{API}/products/lamp")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "unknown_product")


async def test_a_sku_is_taken_once(http):
    again = await http.post(f"{API}/products", json={"sku": "lamp", **LAMP})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "sku_taken")


async def test_one_of_many_changes_of_a_version_wins(http):
    answers = await asyncio.gather(
        *(
            http.put(
                f"{API}/products/lamp",
                json={**LAMP, "name": f"Lamp {number}"},
                headers={"If-Match": '"1"'},
            )
            for number in range(8)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7
    lost = next(answer for answer in answers if answer.status_code == 412)
    assert lost.headers["ETag"] == '"2"'
    assert "at version 2, not 1" in lost.json()["error"]["message"]


async def test_a_sale_makes_an_older_count_of_stock_unusable(http):
    await reserve(http, 2)
    late = await http.put(f"{API}/products/lamp", json=LAMP, headers={"If-Match": '"1"'})
    assert late.status_code == 412
    assert (await http.get(f"{API}/products/lamp")).json()["stock"] == 3


async def test_what_was_sold_is_not_deleted(http):
    await reserve(http, 1)
    kept = await http.delete(f"{API}/products/lamp", headers={"If-Match": '"2"'})
    assert (kept.status_code, kept.json()["error"]["code"]) == (409, "product_has_reservations")


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        (None, 428, "if_match_missing"),
        ("3", 400, "invalid_if_match"),
        ("*", 400, "invalid_if_match"),
        ('"9"', 412, "product_changed"),
    ],
)
async def test_a_change_names_its_version(http, header, status, code):
    headers = {"If-Match": header} if header else {}
    for answer in (
        await http.put(f"{API}/products/lamp", json=LAMP, headers=headers),
        await http.delete(f"{API}/products/lamp", headers=headers),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


async def test_a_change_of_nothing(http):
    none = await http.put(f"{API}/products/none", json=LAMP, headers={"If-Match": '"1"'})
    assert none.status_code == 404


async def test_pages_follow_the_key(http):
    for number in range(4):
        await http.post(f"{API}/products", json={"sku": f"a{number}", **LAMP})
    first = (await http.get(f"{API}/products?limit=2")).json()
    assert [product["sku"] for product in first["products"]] == ["a0", "a1"]
    # What comes before the page's end shifts nothing that follows.
    await http.post(f"{API}/products", json={"sku": "a00", **LAMP})
    second = (await http.get(f"{API}/products?limit=2&after={first['next']}")).json()
    assert [product["sku"] for product in second["products"]] == ["a2", "a3"]
    last = (await http.get(f"{API}/products?limit=2&after={second['next']}")).json()
    assert ([product["sku"] for product in last["products"]], last["next"]) == (["lamp"], None)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"price": 34.9}, "a JSON number can lose digits"),
        ({"price": "0"}, "it must be more than 0"),
        ({"price": "1.234"}, "decimal string such as"),
        ({"currency": "euro"}, "currency: "),
        ({"stock": -1}, "stock: "),
        ({"stock": "5"}, "stock: "),
        ({"name": ""}, "name: "),
        ({"sku": "Big Lamp"}, "sku: "),
        ({"colour": "red"}, "colour: "),
    ],
)
async def test_a_wrong_product_is_refused_with_a_reason(http, sql, change, says):
    answer = await http.post(f"{API}/products", json={"sku": "new", **LAMP, **change})
    assert answer.status_code == 422
    assert says in answer.json()["error"]["message"]
    assert await sql.fetchval("SELECT count(*) FROM product.products") == 1


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "after=NO!"])
async def test_a_wrong_page_is_refused(http, query):
    assert (await http.get(f"{API}/products?{query}")).status_code == 422
