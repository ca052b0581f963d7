"""Who overloads the nodes, told from figures: the one caller, the one method, or everybody."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.drydock.ops.plugins.module_utils.rpc_load import Flow, Load, decide
from ansible_collections.drydock.ops.plugins.modules.rpc_diagnosis import NOW, flows


def flow(name: str, node_ms: float, node_calls: float, before: float, **more: float) -> Flow:
    return Flow(name, node_ms, node_calls, before, **{"calls": node_calls, **more})


GREEDY = flow("ip:192.0.2.7", 9000, 200, 0)
QUIET = flow("ip:192.0.2.8", 500, 20, 20)
CALM = (QUIET, flow("ip:192.0.2.9", 450, 20, 20))
METHODS = (
    flow("simulateTransaction", 400, 20, 20),
    flow("getBalance", 350, 20, 18, calls=80, hits=60),
)


def load(**more: Any) -> Load:
    given = {"late": 900, "late_before": 20, "callers": CALM, "methods": METHODS, "wanted": 2,
             "healthy": 2, "most": 3}  # fmt: skip
    return Load(**{**given, **more})


def test_a_stranger_who_takes_most_is_limited_to_a_part_of_it():
    made = decide(load(callers=(QUIET, GREEDY)))
    assert (made["action"], made["nodes"]) == ("tighten", 0)
    assert json.loads(made["variables"]["CALLER_LIMITS"]) == {"ip:192.0.2.7": 20}
    assert "ip:192.0.2.7" in made["cause"] and "95 %" in made["cause"]
    assert any("next deploy" in text for text in made["follow_up"])


def test_a_known_caller_keeps_half_again_of_what_it_had():
    made = decide(load(callers=(QUIET, flow("key:desk", 9000, 200, 30))))
    assert json.loads(made["variables"]["CALLER_LIMITS"]) == {"key:desk": 45}


def test_other_limits_stay_and_a_limit_that_did_not_help_is_halved():
    settings = {"CALLER_LIMITS": '{"ip:192.0.2.7": 8, "key:desk": 50}'}
    made = decide(load(callers=(QUIET, GREEDY), settings=settings))
    assert json.loads(made["variables"]["CALLER_LIMITS"]) == {"ip:192.0.2.7": 4, "key:desk": 50}
    least = decide(load(callers=(QUIET, GREEDY), settings={"CALLER_LIMITS": '{"ip:192.0.2.7": 1}'}))
    assert (least["action"], bool(least["to"])) == ("hand_over", True)


@pytest.mark.parametrize(
    ("callers", "spared"),
    [
        ((QUIET, GREEDY), ["ip:192.0.2.7"]),
        # It has always asked for most: it is not what changed.
        ((QUIET, flow("key:listener", 9000, 200, 190)), []),
        # Many together are nobody.
        ((QUIET, flow("other", 9000, 200, 0)), []),
    ],
)
def test_who_is_spared_or_has_not_grown_is_not_limited(callers, spared):
    assert "CALLER_LIMITS" not in decide(load(callers=callers), spared)["variables"]


def test_what_many_ask_alike_is_kept_longer():
    asked = flow("getProgramAccounts", 5000, 40, 10, calls=80, hits=40)
    made = decide(load(methods=(*METHODS, asked)))
    assert json.loads(made["variables"]["METHOD_TTLS"]) == {"getProgramAccounts": 10}


def test_what_is_in_no_cache_is_limited_for_all():
    made = decide(load(methods=(*METHODS, flow("simulateTransaction2", 5000, 90, 10))))
    assert json.loads(made["variables"]["METHOD_LIMITS"]) == {"simulateTransaction2": 15}


def test_everybody_has_grown_so_all_is_kept_longer_and_there_is_a_node_more():
    made = decide(load())
    assert (made["variables"], made["nodes"]) == ({"TTL_FACTOR": "3"}, 3)
    assert decide(load(), scale_out=False)["nodes"] == 0
    full = decide(load(wanted=3, healthy=3, settings={"TTL_FACTOR": "10"}))
    assert (full["action"], "max_size" in full["to"]) == ("hand_over", True)


def test_nothing_is_kept_longer_that_nobody_asks_for_twice():
    made = decide(load(methods=METHODS[:1], wanted=0, healthy=0, most=0))
    assert (made["action"], made["variables"]) == ("hand_over", {})


def test_sick_nodes_are_anothers_to_mend():
    made = decide(load(healthy=1))
    assert made["to"] == "runbooks/solana-node-lagging.yml"
    assert decide(load(late=None, healthy=0))["action"] == "hand_over"
    # But who takes most of what is left is limited first.
    assert decide(load(healthy=1, callers=(QUIET, GREEDY)))["action"] == "tighten"


@pytest.mark.parametrize("seen", [load(late=80), load(late=None, wanted=0, healthy=0, most=0)])
def test_nothing_is_done_where_nothing_is_late(seen):
    assert decide(seen)["action"] == "none"


def test_what_a_caller_was_used_to_is_read_from_before_it_began():
    period, at = 60, 600_000.0
    began = at - 10 * period
    calls = {began - n * period: 600.0 for n in range(3, 20)}  # 10 a second
    calls |= {began - period: 90_000.0}  # the mixture as it began is no sign of either
    calls |= {at - n * period: 6000.0 for n in range(1, NOW + 1)}
    found = {
        ("Caller", "ip:192.0.2.7", "NodeCalls"): calls,
        ("Caller", "ip:192.0.2.7", "Calls"): calls,
        ("Caller", "ip:192.0.2.7", "NodeTime"): {at - period: 24_000.0},
        ("Method", "getSlot", "NodeCalls"): dict.fromkeys(calls, 60.0),
        # It was there for a moment before: that is not what it is used to.
        ("Caller", "ip:192.0.2.9", "NodeCalls"): {began - 4 * period: 6e4, at - period: 6e4},
        ("Caller", "ip:192.0.2.9", "NodeTime"): {at - period: 24_000.0},
        # It is gone.
        ("Caller", "ip:192.0.2.8", "NodeCalls"): {began - 5 * period: 600.0},
    }
    one, stranger = flows(found, "Caller", at, began, period)
    assert (stranger.name, stranger.before) == ("ip:192.0.2.9", 0)
    assert (one.name, one.before, one.node_calls, one.node_ms) == ("ip:192.0.2.7", 10, 100, 100)
