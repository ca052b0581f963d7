"""The module solana_health: near enough for a moment is not caught up."""

from __future__ import annotations

import types
from pathlib import Path

import pytest
from ansible_collections.drydock.ops.plugins.module_utils.solana_health import Config
from ansible_collections.drydock.ops.plugins.modules.solana_health import judge
from fake_solana_node import GENESIS, FakeNode


@pytest.mark.parametrize(("slots_a_second", "steady"), [(20, True), (4, False)])
def test_one_that_is_near_and_too_slow_is_not_steady(
    tmp_path: Path, slots_a_second: float, steady: bool
) -> None:
    with FakeNode(per_second=slots_a_second) as own, FakeNode(per_second=20) as peer:
        config = Config(
            rpc_url=own.url, references=(peer.url,), genesis_hash=GENESIS, interval=0.1,
            advance_seconds=0.4, timeout=1, maintenance_file=str(tmp_path / "mark"),
            max_slots_behind=10**6,
        )  # fmt: skip
        asked = {"wait_seconds": 4, "watch_seconds": 0, "steady_seconds": 2, "expect": "steady"}
        seen = judge(types.SimpleNamespace(params=asked), config)
    assert seen["ready"] and seen["steady"] is steady
