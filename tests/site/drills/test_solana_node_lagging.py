"""solana-node-lagging: a node that lies about its health is found, cured and put back."""

from collections.abc import Iterator

import pytest

from tests.platform.conftest import wait_for

from .drill import Platform, rehearse
from .fleet import NODES, Fleet

RUNBOOK = "solana-node-lagging"
GIVEN = (*NODES, "-e", "catch_up_minutes=5")
ALARM = "solana-node-unhealthy"
MENDING = 85


@pytest.fixture
def well(fleet: Fleet) -> Iterator[Fleet]:
    """The fleet, whole before and after."""
    wait_for(lambda: fleet.pool() == set(fleet.nodes), 120, "every node is in the pool")
    yield fleet
    for node in fleet.nodes:
        fleet.fault(node, "heal")


def test_a_node_that_stands_still_and_says_ok(platform: Platform, well: Fleet) -> None:
    sick = sorted(well.nodes)[0]

    def freeze() -> None:
        well.fault(sick, "freeze")
        wait_for(lambda: well.pool() == set(well.nodes) - {sick}, 60, "it is out of the pool")
        ask = """curl -s -H 'Content-Type: application/json' http://127.0.0.1:8799 \
          -d '{"jsonrpc":"2.0","id":1,"method":"getHealth"}'"""
        assert '"ok"' in well.run(sick, ask), "it does not lie, so this drill proves less"

    done = rehearse(
        platform, RUNBOOK, *GIVEN, alarm=ALARM, inject=freeze, mending=MENDING,
        says=(sick, "stands still", "which the other nodes disprove"),
    )  # fmt: skip
    assert well.pool() == set(well.nodes)
    (action,) = done.record["runbook"]["actions"]
    assert action["target"] == sick and action["what"].startswith("restart; caught up at slot")


def test_a_node_that_hangs(platform: Platform, well: Fleet) -> None:
    sick = sorted(well.nodes)[1]
    unit = "solana-validator.service"
    done = rehearse(
        platform, RUNBOOK, *GIVEN, alarm=ALARM, mending=MENDING,
        inject=lambda: well.run(sick, f"sudo systemctl kill --signal=STOP {unit}"),
        says=(sick, "does not answer", "end its hung process"),
    )  # fmt: skip
    (action,) = done.record["runbook"]["actions"]
    assert action["target"] == sick and action["what"].startswith("kill;")
