"""What ails a fleet's nodes and what is done about it: one node at a time, never a sound one."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.drydock.ops.plugins.module_utils.solana_nodes import CURES, decide

WANT = {"node": None, "cure": "auto", "max_nodes": 2, "catch_up_minutes": 60}


def node(name: str, *codes: str, **changed: Any) -> dict[str, Any]:
    health = {
        "healthy": not codes, "reasons": {code: f"it has {code}" for code in codes},
        "slots_behind": 0, "gain": 0.0, "served": 503 if codes else 200,
        "unit": {"ActiveState": "active"},
    }  # fmt: skip
    return {"item": name, "health": {**health, **changed}}


SOUND = node("b"), node("c")


def decided(*nodes: dict[str, Any], **want: Any) -> dict[str, Any]:
    found = decide(list(nodes), {**WANT, **want})
    assert all(isinstance(found[key], list) for key in ("because", "plan", "undo", "nodes"))
    assert all(isinstance(found[key], str) for key in ("cause", "action", "to"))
    return found


@pytest.mark.parametrize(
    ("sick", "cure", "words"),
    [
        (node("a", "stands_still"), "restart", 'says "ok" of itself'),
        (node("a", "behind", slots_behind=90, gain=-2.2, pace=0.1), "restart", "disprove"),
        (node("a", "no_answer"), "kill", "does not answer"),
        (node("a", "no_answer", unit={"ActiveState": "failed"}), "restart", "systemd: failed"),
        (node("a", "no_answer", unit={}), "restart", "systemd: unknown"),
        (node("a", "behind", slots_behind=600, gain=2.0), "wait", "5 min to go"),
        (node("a", "behind", slots_behind=8000, gain=2.0), "restart", "does not come nearer"),
        (node("a", "behind", slots_behind=600, gain=-2.5), "restart", "does not come nearer"),
        (node("a", "behind", slots_behind=600, gain=None), "restart", "does not come nearer"),
        (node("a", "own_word", slots_behind=None), "restart", "does not come nearer"),
        (node("a", "front"), "front", "front of a is down"),
        (node("a", served=0), "service", "answers nothing"),
        (node("a", served=503), "service", "answers 503"),
    ],
)
def test_each_ailment_has_its_cure(sick: dict, cure: str, words: str) -> None:
    found = decided(sick, *SOUND, catch_up_minutes=60 if cure == "wait" else 30)
    assert found["action"] == "cure" and found["nodes"] == [{"node": "a", "cure": cure}]
    assert words in found["cause"] + " ".join(found["because"])
    assert found["plan"] == [CURES[cure][0].format(node="a")]
    assert "2 of 3 nodes are healthy" in found["because"]


@pytest.mark.parametrize(
    ("sick", "to"),
    [
        (node("a", "genesis"), "configure-solana.yml --limit a"),
        (node("a", "genesis", "behind"), "configure-solana.yml --limit a"),
        (node("a", "no_reference"), "network"),
        (node("a", "maintenance"), "whoever did"),
        (node("a", "maintenance", "behind"), "whoever did"),
        ({"item": "a", "unreachable": True, "msg": "timed out"}, "Auto Scaling"),
        ({"item": "a", "msg": "health.json can't be used"}, "configure-solana.yml --limit a"),
    ],
)
def test_what_is_not_the_nodes_own_is_handed_over(sick: dict, to: str) -> None:
    found = decided(sick, *SOUND)
    assert found["action"] == "hand_over" and to in found["to"]
    assert found["nodes"] == [] and found["plan"] == []


def test_sound_nodes_are_left_alone() -> None:
    assert decided(*SOUND)["action"] == "none"
    assert decided(*SOUND, cure="rebuild")["nodes"] == []


def test_a_fleet_that_is_sick_as_a_whole_is_not_restarted_by_itself() -> None:
    fleet = [node(name, "stands_still") for name in "abc"]
    found = decided(*fleet)
    assert found["action"] == "hand_over" and "-e cure=restart" in found["to"]
    asked = decided(*fleet, cure="restart")
    assert [one["node"] for one in asked["nodes"]] == ["a", "b"], "max_nodes holds"


def test_the_last_node_of_a_fleet_of_one_is_cured() -> None:
    assert decided(node("a", "stands_still"))["action"] == "cure"


def test_a_node_by_name_and_a_cure_by_name() -> None:
    fleet = (node("a", "behind"), node("b", "behind"), node("c"))
    found = decided(*fleet, node="b", cure="rebuild")
    assert found["nodes"] == [{"node": "b", "cure": "rebuild"}]
    assert "delete its ledger" in found["plan"][0] and "1 of 3 nodes" in found["because"][-1]
    assert decided(*fleet, node="c")["action"] == "none"


def test_one_that_is_cured_and_one_that_is_handed_over() -> None:
    found = decided(node("a", "stands_still"), {"item": "b", "unreachable": True}, node("c"))
    assert [one["node"] for one in found["nodes"]] == ["a"]
    assert "Auto Scaling" in found["to"] and "b can't be reached" in found["cause"]


def test_no_node_at_all() -> None:
    assert "provision" in decided()["to"]
