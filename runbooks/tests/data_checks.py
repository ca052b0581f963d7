"""Database and cache serve, as their users and AWS see them: for their runbooks."""

# ruff: noqa: S101 (checks that test files take over)

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from ansible.plugins.loader import init_plugin_loader
from testinfra.host import Host

init_plugin_loader([str(Path(__file__).resolve().parents[2] / "collections")])

from ansible_collections.drydock.ops.plugins.module_utils import (  # noqa: E402
    failover,
    postgres,
)

TRADING = "/api/trading"
ALARM_SHARE = 0.8
# A node that was failed over from comes back as standby and catches up.
SYNC_SECONDS = 300


@pytest.fixture(scope="session")
def data(outputs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What the stack data puts out."""
    return outputs["data"]


@pytest.fixture
def connection(facts: dict[str, Any], data: dict[str, Any]) -> Iterator[Any]:
    """A session of the master user in the database."""
    login = postgres.master_login(data["database_identifier"], facts["region"])
    with postgres.connect(login, 10) as made:
        yield made


def eventually(find: Callable[[], list[str]]) -> list[str]:
    """Return what is found, or the first emptiness within SYNC_SECONDS."""
    end = time.monotonic() + SYNC_SECONDS
    while (found := find()) and time.monotonic() < end:
        time.sleep(1)
    return found


# --- database ------------------------------------------------------------------------


def test_the_database_listens(host: Host, data: dict[str, Any]) -> None:
    assert host.addr(data["database_address"]).port(data["database_port"]).is_reachable


def test_connections_are_below_the_alarm(connection: Any) -> None:
    limit = postgres.settings(connection)["max_connections"]
    clients = [
        one for one in postgres.sessions(connection) if one["backend_type"] == "client backend"
    ]
    assert len(clients) < ALARM_SHARE * limit


def test_the_primary_takes_writes(connection: Any) -> None:
    assert connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,)
    assert connection.execute("SHOW default_transaction_read_only").fetchone() == ("off",)


def test_the_standby_is_in_sync(facts: dict[str, Any], data: dict[str, Any]) -> None:
    target = failover.DatabaseTarget(data["database_identifier"], facts["region"], "check")
    if not postgres.describe_instance(target.rds, target.identifier)["MultiAZ"]:
        pytest.skip("this environment's database has no standby (database.multi_az)")
    assert eventually(lambda: target.readiness()[0]) == []


# --- through the load balancer ---------------------------------------------------------


def test_the_api_is_ready(web: requests.Session, url: str) -> None:
    answer = web.get(f"{url}{TRADING}/ready")
    assert answer.status_code == 200, answer.text


def test_the_api_reads(web: requests.Session, url: str) -> None:
    answer = web.get(f"{url}{TRADING}/instruments")
    assert answer.status_code == 200 and answer.json()["instruments"]


def test_an_order_is_stored_and_read_back(
    facts: dict[str, Any], web: requests.Session, url: str
) -> None:
    if not facts["verify_writes"]:
        pytest.skip("verify_writes is off in this environment's inventory")
    base = f"{url}{TRADING}"
    instruments = web.get(f"{base}/instruments").json()["instruments"]
    symbol = next(one["symbol"] for one in instruments if one["status"] == "open")
    instrument = web.get(f"{base}/instruments/{symbol}").json()
    order = {
        "symbol": symbol,
        "side": "buy",
        "quantity": instrument["lot_size"],
        "price": instrument["tick_size"],
    }
    key = {"Idempotency-Key": str(uuid.uuid4())}
    placed = web.post(f"{base}/orders", json=order, headers=key)
    assert placed.status_code == 201, placed.text
    read = web.get(f"{base}/orders/{placed.json()['id']}")
    assert (read.status_code, read.json()) == (200, placed.json())


# --- cache -----------------------------------------------------------------------------


def test_the_cache_listens(host: Host, data: dict[str, Any]) -> None:
    assert host.addr(data["cache_address"]).port(data["cache_port"]).is_reachable


def test_the_cache_takes_writes_and_its_replicas_have_them(
    facts: dict[str, Any], data: dict[str, Any]
) -> None:
    target = failover.CacheTarget(data["cache_identifier"], facts["region"], "check")
    if len(target.describe()["MemberClusters"]) < 2:
        pytest.skip("this environment's cache has no replica (cache.replicas)")
    assert eventually(lambda: target.readiness()[0]) == []
    with contextlib.closing(target.writer()) as writer:
        assert writer.write(1)
    target.clean()
    assert target.lost([1]) == [1]
