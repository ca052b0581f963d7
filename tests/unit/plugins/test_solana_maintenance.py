"""Taking a node out: one owner, an end by itself, and no change in a rehearsal."""

from pathlib import Path

import pytest
from ansible_collections.drydock.ops.plugins.module_utils.solana_health import Refused, maintenance
from ansible_collections.drydock.ops.plugins.modules.solana_maintenance import change

WANT = {"state": "present", "who": "upgrade", "why": "4.1.3", "minutes": 1, "planned": True}


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "run/maintenance")


def test_out_and_back(path: str) -> None:
    out = change(path, WANT, check_mode=False)
    assert out["changed"] and maintenance(path)["why"] == "4.1.3"
    assert out["diff"] == {"before": "in service\n", "after": "taken out by upgrade: 4.1.3\n"}
    again = change(path, {**WANT, "minutes": 9}, check_mode=False)
    assert not again["changed"]
    assert again["maintenance"]["until"] > out["maintenance"]["until"], "it holds for longer"
    back = change(path, {**WANT, "state": "absent"}, check_mode=False)
    assert back["changed"] and maintenance(path) is None
    assert not change(path, {**WANT, "state": "absent"}, check_mode=False)["changed"]


@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_rehearsal_changes_nothing(path: str, state: str) -> None:
    if state == "absent":
        change(path, WANT, check_mode=False)
    before = maintenance(path)
    assert change(path, {**WANT, "state": state}, check_mode=True)["changed"]
    assert maintenance(path) == before


@pytest.mark.parametrize("state", ["present", "absent"])
def test_the_mark_of_another_is_left(path: str, state: str) -> None:
    change(path, WANT, check_mode=False)
    with pytest.raises(Refused, match=r"taken out by upgrade since .*4\.1\.3"):
        change(path, {**WANT, "who": "runbook", "state": state}, check_mode=False)
    assert maintenance(path)["who"] == "upgrade"


def test_a_mark_that_has_run_out_is_nobodys(path: str) -> None:
    change(path, {**WANT, "minutes": -1}, check_mode=False)
    assert change(path, {**WANT, "who": "runbook"}, check_mode=False)["changed"]
