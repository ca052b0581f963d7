"""The Shop on the whole platform: bought in a browser through the load balancer, kept in
PostgreSQL, and paid once."""

import importlib.util
import json
import subprocess
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from drydock.settings import PROJECT

from .site import Site

_spec = importlib.util.spec_from_file_location("app_tests", PROJECT / "scripts/app_tests.py")
app_tests = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(app_tests)

SKU = "marlin-spike"
ACCEPTED, DECLINED = "4242 4242 4242 4242", "4000 0000 0000 0002"


@pytest.fixture
def stock(site: Site) -> Callable[[], int]:
    """Restock what is bought here, so that this can be run again and again."""
    address = f"{site.url}/api/product/products/{SKU}"
    found = requests.get(address, timeout=10)
    wanted = {key: found.json()[key] for key in ("name", "description", "price", "currency")}
    done = requests.put(
        address,
        json={**wanted, "stock": 60},
        headers={"If-Match": found.headers["ETag"]},
        timeout=10,
    )
    assert done.status_code == 200, done.text
    return lambda: int(site.rows(f"SELECT stock FROM product.products WHERE sku = '{SKU}'")[0])  # noqa: S608


def place(site: Site, key: str, quantity: int = 1, card: str = ACCEPTED) -> requests.Response:
    return requests.post(
        f"{site.url}/api/order/orders", json={"sku": SKU, "quantity": quantity, "card": card},
        headers={"Idempotency-Key": key}, timeout=30,
    )  # fmt: skip


def of_order(site: Site, identifier: str) -> list[str]:
    """The order, its reservation and its payments as PostgreSQL has them: one row."""
    identifier = str(uuid.UUID(identifier))
    query = (
        "SELECT o.state, o.sku, o.quantity, o.amount, r.state, p.outcome, p.amount"  # noqa: S608
        " FROM shop_order.orders o LEFT JOIN product.reservations r ON r.id = o.reservation_id"
        f" LEFT JOIN shop_order.payments p ON p.order_id = o.id WHERE o.id = '{identifier}'"
    )
    return site.rows(query)


def test_what_is_bought_in_a_browser_is_in_the_database(
    site: Site, stock: Callable[[], int]
) -> None:
    before = stock()
    app_tests.packages_of(PROJECT / "apps/frontend")
    command = ["node", Path(__file__).with_name("shop.js"), PROJECT, site.url, app_tests.browser()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    assert (said["complaints"], said["elsewhere"]) == ([], [])
    assert of_order(site, said["id"]) == ["paid|marlin-spike|1|17.25|confirmed|approved|17.25"]
    # The negative control, on the same page: a card that is declined buys nothing.
    assert said["declined"].startswith("The card was declined") and said["placed"] == 0
    newest = site.rows("SELECT number, state FROM shop_order.orders ORDER BY number DESC LIMIT 1")
    assert newest[0].endswith("|declined") and int(newest[0].split("|")[0]) > said["number"]
    assert stock() == before - 1


def test_a_wish_that_is_sent_often_is_paid_once(site: Site, stock: Callable[[], int]) -> None:
    before, key = stock(), str(uuid.uuid4())
    with ThreadPoolExecutor(8) as senders:
        answers = list(senders.map(lambda _: place(site, key, quantity=3), range(8)))
    assert {answer.status_code for answer in answers} == {201}, [one.text for one in answers]
    (identifier,) = {answer.json()["id"] for answer in answers}
    assert of_order(site, identifier) == ["paid|marlin-spike|3|51.75|confirmed|approved|51.75"]
    assert stock() == before - 3
    # The negative controls: another wish under that key is refused, and under another is another.
    assert place(site, key, quantity=4).status_code == 409
    assert place(site, str(uuid.uuid4()), quantity=3).json()["id"] != identifier
    assert stock() == before - 6


def test_a_declined_payment_gives_the_stock_back(site: Site, stock: Callable[[], int]) -> None:
    before = stock()
    answer = place(site, str(uuid.uuid4()), quantity=2, card=DECLINED)
    assert answer.status_code == 402, answer.text
    identifier = answer.json()["error"]["order"]["id"]
    assert of_order(site, identifier) == ["declined|marlin-spike|2|34.50|released|declined|34.50"]
    assert stock() == before
