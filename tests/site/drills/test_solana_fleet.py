"""The fleet of Solana nodes: configured twice, serving through its load balancer, upgraded."""

from collections.abc import Callable

import pytest

from tests.platform.conftest import wait_for
from tests.site.site import Run, load, play

from .drill import Platform, no_secret
from .fleet import FIRST, NEVER, NEXT, NODES, Fleet, ask, body, pay


@pytest.mark.parametrize("work", [Fleet.configure, Fleet.upgrade])
def test_a_second_run_changes_nothing(fleet: Fleet, work: Callable[[Fleet], Run]) -> None:
    started = fleet.started()
    done = work(fleet)
    assert done.code == 0, done.story
    assert {node: done.changed[node] for node in fleet.nodes} == dict.fromkeys(fleet.nodes, 0)
    assert fleet.started() == started


def test_it_serves_through_its_load_balancer(platform: Platform, fleet: Fleet) -> None:
    slot = ask(fleet.url, "getSlot", {"commitment": "processed"})
    later = wait_for(
        lambda: max(0, ask(fleet.url, "getSlot", {"commitment": "processed"}) - slot), 10, "slots"
    )
    assert later > 0
    # Users come through the cache, which keeps what it may.
    by_cache = ask(f"{platform.url}/rpc", "getSlot", {"commitment": "processed"})
    assert slot <= by_cache + 5 < slot + 100, "not the slot of now, or not of this cluster"
    signature, to, lamports = pay(fleet.url)
    confirmed = {"commitment": "confirmed"}
    # What one node was sent is on all of them.
    for node, address in fleet.nodes.items():
        one = f"http://{address}:8899"
        wait_for(
            lambda one=one: ask(one, "getBalance", to, confirmed)["value"] == lamports,
            20, f"the transfer is on {node}",
        )  # fmt: skip
        status = wait_for(
            lambda one=one: ask(one, "getSignatureStatuses", [signature])["value"][0],
            10, f"its signature is known on {node}",
        )  # fmt: skip
        assert status["err"] is None


def test_no_secret_of_a_node_is_shown(platform: Platform, fleet: Fleet) -> None:
    """Its key is on the node alone: neither in what Ansible says nor in what is kept of it."""
    node = sorted(fleet.nodes)[0]
    assert fleet.run(node, "sudo stat -c '%a %U' /etc/solana/identity.json") == "400 solana"
    key = fleet.run(node, "sudo cat /etc/solana/identity.json")
    done = fleet.configure("--limit", node, "--tags", "identity,release", "-vvv", "--diff")
    assert done.code == 0, done.story
    no_secret(platform, key, done)


def test_a_release_that_never_catches_up_stops_at_the_first_node(fleet: Fleet) -> None:
    before, started = fleet.releases(), fleet.started()
    assert set(before.values()) == {FIRST}
    with load(fleet.url, threads=4, pause=0.05, call=body("getSlot")) as calls:
        done = fleet.upgrade(
            "-e", f"solana_rpc_version={NEVER}", "-e", "solana_rpc_catch_up_seconds=20"
        )
    assert done.code != 0
    words = " ".join(done.output.split())
    first = next(node for node in fleet.nodes if f"{node} did not come back with {NEVER}" in words)
    assert f"and runs {FIRST} again" in words and "No node after it was touched" in words
    assert fleet.releases() == before
    again = fleet.started()
    assert [node for node in fleet.nodes if again[node] != started[node]] == [first]
    wait_for(lambda: fleet.pool() == set(fleet.nodes), 60, "every node is in the pool")
    assert calls.failures == [] and calls.total > 100


def test_an_upgrade_under_load_fails_no_call(fleet: Fleet) -> None:
    started = fleet.started()
    with load(fleet.url, threads=4, pause=0.05, call=body("getSlot")) as calls:
        done = fleet.upgrade("-e", f"solana_rpc_version={NEXT}")
    assert done.code == 0, done.story
    assert set(fleet.releases().values()) == {NEXT}
    assert all(started[node] != now for node, now in fleet.started().items())
    assert calls.failures == [] and calls.total > 100
    print(f"{calls.total} calls, the longest {calls.longest:.2f} s", flush=True)


@pytest.mark.parametrize("playbook", ["configure-solana", "upgrade-solana"])
def test_without_the_nodes_inventory_it_is_said(fleet: Fleet, playbook: str) -> None:
    done = play(playbook)
    assert done.code != 0 and " ".join(NODES) in " ".join(done.output.split())
