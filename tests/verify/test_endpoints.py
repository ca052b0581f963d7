"""Each path of the load balancer reaches its own workload, and the workloads do their work."""

import uuid
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from testinfra.host import Host

TRADING = "/api/trading"


def test_the_load_balancer_is_reachable(host: Host, url: str) -> None:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    assert host.addr(parts.hostname).port(port).is_reachable


def test_hello_serves_its_page(web: requests.Session, url: str) -> None:
    answer = web.get(f"{url}/")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")


def test_trading_api_is_ready(web: requests.Session, url: str) -> None:
    answer = web.get(f"{url}{TRADING}/ready")
    assert answer.status_code == 200, answer.text


@pytest.fixture
def symbol(web: requests.Session, url: str) -> str:
    instruments = web.get(f"{url}{TRADING}/instruments").json()["instruments"]
    return next(one["symbol"] for one in instruments if one["status"] == "open")


def test_an_order_is_stored_once_and_read_back(
    web: requests.Session, url: str, symbol: str, facts: dict[str, Any]
) -> None:
    if not facts["writes"]:
        pytest.skip("verify_writes is off in this environment's inventory")
    instrument = web.get(f"{url}{TRADING}/instruments/{symbol}").json()
    order = {
        "symbol": symbol,
        "side": "buy",
        "quantity": instrument["lot_size"],
        "price": instrument["tick_size"],
    }
    key = {"Idempotency-Key": str(uuid.uuid4())}
    placed = web.post(f"{url}{TRADING}/orders", json=order, headers=key)
    assert placed.status_code == 201, placed.text
    again = web.post(f"{url}{TRADING}/orders", json=order, headers=key)
    assert (again.status_code, again.json()["id"]) == (200, placed.json()["id"])
    read = web.get(f"{url}{TRADING}/orders/{placed.json()['id']}")
    assert read.status_code == 200
    assert read.json() == placed.json()


def test_the_second_hot_read_comes_from_the_cache(
    web: requests.Session, url: str, symbol: str
) -> None:
    hot = f"{url}{TRADING}/instruments/{symbol}"
    # The entry may expire between two reads; it does not twice in a row.
    pairs = [(web.get(hot), web.get(hot)) for _ in range(2)]
    assert any(second.headers["X-Cache"] == "hit" for _, second in pairs)
