"""solana_health against nodes that answer for real: no lie and no silence passes for health."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.drydock.ops.plugins.module_utils import solana_health as health
from fake_solana_node import GENESIS, FakeNode

CLOSED = "http://127.0.0.1:9"  # nobody listens on the port "discard"


@pytest.fixture
def nodes() -> Iterator[tuple[FakeNode, FakeNode]]:
    """The node that is judged, and one that it is held against."""
    with FakeNode() as own, FakeNode() as peer:
        yield own, peer


@pytest.fixture
def config(nodes: tuple[FakeNode, FakeNode], tmp_path: Path) -> health.Config:
    own, peer = nodes
    return health.Config(
        rpc_url=own.url, references=(peer.url,), genesis_hash=GENESIS, interval=0.1,
        advance_seconds=0.2, timeout=1, maintenance_file=str(tmp_path / "run/maintenance"),
    )  # fmt: skip


def judge(config: health.Config, **changed: object) -> dict:
    return next(health.looks(dataclasses.replace(config, **changed), 0))


def test_a_sound_node_is_healthy(config: health.Config) -> None:
    seen = judge(config)
    assert seen["healthy"] and seen["ready"] and seen["reasons"] == {}
    assert seen["advancing"] and seen["slots_behind"] <= 2 and seen["version"] == "4.1.2"


def test_a_frozen_node_that_says_ok_is_found(config: health.Config, nodes: tuple) -> None:
    """It is still within the allowed distance, and its own word is "ok": the slot gives it away."""
    nodes[0].freeze()
    seen = judge(config, max_slots_behind=10**6)
    assert set(seen["reasons"]) == {"stands_still"} and seen["advancing"] is False


def test_a_node_that_was_cut_off_is_found(config: health.Config, nodes: tuple) -> None:
    """It moves on and says ok, far behind the others (anza-xyz/agave #5071)."""
    nodes[0].start = 100
    seen = judge(config)
    assert set(seen["reasons"]) == {"behind"}
    assert "slots behind" in seen["reasons"]["behind"] and seen["slots_behind"] >= 890


def test_the_distance_is_exact(config: health.Config) -> None:
    sample = health.Sample(10, 950, {"a": 1000, "b": 7}, {})
    earlier = health.Sample(5, 940, {"a": 985}, {})
    seen = health.report(config, sample, earlier, None)
    assert seen["healthy"] and seen["slots_behind"] == 50 and seen["gain"] == -1
    later = dataclasses.replace(sample, references={"a": 1001, "b": "timed out"})
    assert set(health.report(config, later, earlier, None)["reasons"]) == {"behind"}


@pytest.mark.parametrize("silence", ["closed", "slow", "none"])
def test_without_a_reference_nothing_is_known(
    config: health.Config, nodes: tuple, silence: str
) -> None:
    nodes[1].silent = silence == "slow"
    references = {"closed": (CLOSED,), "slow": (nodes[1].url,), "none": ()}[silence]
    seen = judge(config, references=references)
    assert not seen["healthy"] and set(seen["reasons"]) == {"no_reference"}
    assert seen["slots_behind"] is None, "unknown is not zero"


def test_one_reference_of_two_is_enough(config: health.Config) -> None:
    seen = judge(config, references=(CLOSED, *config.references))
    assert seen["healthy"]
    assert "refused" in seen["references"]["127.0.0.1:9"]


def test_a_reference_of_another_cluster_is_none(config: health.Config, nodes: tuple) -> None:
    nodes[1].says["getGenesisHash"] = "another"
    seen = judge(config)
    assert "another cluster" in seen["reasons"]["no_reference"]


@pytest.mark.parametrize(
    ("method", "said", "code", "words"),
    [
        ("getHealth", Exception({"code": -32005, "message": "Node is behind by 200 slots",
                                 "data": {"numSlotsBehind": 200}}), "own_word", "behind by 200"),
        ("getHealth", "unknown", "own_word", "unknown"),
        ("getGenesisHash", "other", "genesis", "another cluster"),
        ("getSlot", Exception({"code": -32601, "message": "Method not found"}), "no_answer",
         "Method not found"),
        ("getSlot", "1000", "no_answer", "no slot"),
        ("getSlot", None, "no_answer", "no slot"),
        ("getVersion", None, "no_answer", "does not answer"),
    ],
)  # fmt: skip
def test_what_it_admits_or_garbles_counts(
    config: health.Config, nodes: tuple, method: str, said: object, code: str, words: str
) -> None:
    nodes[0].says[method] = said
    seen = judge(config)
    assert not seen["healthy"] and words in seen["reasons"][code]


@pytest.mark.parametrize("body", [b"behind { distance: 200 }", b"unknown", b""])
def test_the_body_of_health_counts_not_its_status(
    config: health.Config, nodes: tuple, body: bytes
) -> None:
    nodes[0].body = body
    assert set(judge(config)["reasons"]) == {"own_body"}


def test_a_dead_node_is_unhealthy_and_its_lag_unknown(config: health.Config) -> None:
    seen = judge(config, rpc_url=CLOSED)
    assert "refused" in seen["reasons"]["no_answer"]
    assert seen["slot"] is None and seen["slots_behind"] is None


def test_a_node_that_hangs_is_unhealthy(config: health.Config, nodes: tuple) -> None:
    nodes[0].silent = True
    assert "timed out" in judge(config)["reasons"]["no_answer"]


def test_a_dead_front_is_unhealthy(config: health.Config, nodes: tuple) -> None:
    front = f"{nodes[1].url}/front"
    assert judge(config, front_url=front)["healthy"]
    nodes[1].front_status = 503
    assert "HTTP 503" in judge(config, front_url=front)["reasons"]["front"]


def test_keys_in_addresses_are_not_shown(config: health.Config, nodes: tuple) -> None:
    nodes[1].says["getSlot"] = "x"
    seen = judge(config, references=(f"{nodes[1].url}/v1/hunter2?api-key=hunter2",))
    assert "hunter2" not in json.dumps(seen) and not seen["healthy"]


def test_taken_out_and_put_back(config: health.Config) -> None:
    made = health.mark(config.maintenance_file, "me", "an upgrade", 1, planned=True)
    seen = judge(config)
    assert not seen["healthy"] and seen["ready"] and "an upgrade" in seen["reasons"]["maintenance"]
    assert seen["maintenance"] == made and made["planned"]
    Path(config.maintenance_file).unlink()
    assert judge(config)["healthy"]


def test_a_mark_runs_out_and_one_that_cannot_be_read_holds(config: health.Config) -> None:
    health.mark(config.maintenance_file, "me", "died", -1, planned=False)
    assert health.maintenance(config.maintenance_file) is None
    Path(config.maintenance_file).write_text("{half")
    assert "can't be read" in health.maintenance(config.maintenance_file)["why"]


def test_a_look_that_found_no_slot_is_not_what_advance_is_held_against(
    config: health.Config, nodes: tuple
) -> None:
    """One answer that was lost must not cost a sound node two looks."""
    checker = health.Checker(config)
    now = time.monotonic()
    checker.samples = [
        health.Sample(now - 9, 1, {"a": 1}, {}),
        health.Sample(now - 5, None, {"a": 1}, {"no_answer": "timed out"}),
    ]
    assert checker.look()["healthy"]


def test_looks_go_on_until_the_time_is_up(config: health.Config, nodes: tuple) -> None:
    nodes[0].start = 500
    begun = time.monotonic()
    seen = list(health.looks(config, 2))
    assert len(seen) >= 2 and time.monotonic() - begun >= 2
    assert not any(one["ready"] for one in seen)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "configure-solana"),
        ("[]", "configure-solana"),
        ('{"rpc_url": "x"}', "references"),
        ('{"rpc_url": "x", "references": [], "genesis_hash": ""}', "genesis_hash"),
        ('{"rpc_url": "x", "references": [], "genesis_hash": "g", "refs": 1}', "refs"),
    ],
)
def test_a_wrong_configuration_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "health.json"
    path.write_text(text)
    with pytest.raises(health.Refused, match=words):
        health.Config.load(str(path))
