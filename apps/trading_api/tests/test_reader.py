"""Lists from the read replica, and from the primary while it is away."""

import asyncio

import pytest
from conftest import API, Wire, place

from trading_api import database
from trading_api.database import RetryBudget


@pytest.fixture
async def replica(environment, database_wire):
    """A second way to the server, at another address and the primary's port."""
    target = (environment["DATABASE_HOST"], int(environment["DATABASE_PORT"]))
    wire = Wire(*target, at="127.0.0.2", on=database_wire.port)
    yield await wire.listen()
    await wire.close()


@pytest.fixture
def through(database_wire, replica):
    return {
        "database_host": database_wire.host,
        "database_port": database_wire.port,
        "database_read_host": replica.host,
    }


async def test_lists_come_from_the_replica_and_the_rest_does_not(start, through, replica):
    task = await start(**through)
    order = (await place(task.http)).headers["Location"]
    assert (await task.http.get(order)).status_code == 200
    assert (await task.http.get(f"{API}/instruments/SOL-USD")).status_code == 200
    assert (await task.http.get("/ready")).status_code == 200
    assert replica.connections == 0
    assert len((await task.http.get(f"{API}/orders")).json()["orders"]) == 1
    assert replica.connections == 1


async def test_without_the_replica_the_primary_answers(
    start, through, replica, database_wire, monkeypatch
):
    monkeypatch.setattr(database, "_READER_PAUSE_SECONDS", 0.5)
    replica.gone()
    task = await start(**through)
    assert (await place(task.http)).status_code == 201
    for _ in range(3):
        assert (await task.http.get(f"{API}/orders")).status_code == 200
    replica.up()
    # It is asked again after the pause: then the lists need no primary.
    refused = replica.connections
    async with asyncio.timeout(20):
        while replica.connections == refused:
            assert (await task.http.get(f"{API}/orders")).status_code == 200
            await asyncio.sleep(0.05)
    database_wire.gone()
    assert (await task.http.get(f"{API}/orders")).status_code == 200
    assert (await place(task.http)).status_code == 503


def test_a_retry_budget_runs_out_and_is_earned_again():
    budget = RetryBudget(share=0.5, most=2)
    assert [budget.spend() for _ in range(3)] == [True, True, False]
    budget.earn()
    assert not budget.spend()
    budget.earn()
    assert budget.spend()
