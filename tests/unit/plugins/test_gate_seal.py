"""A plan that passed the gate is applied where it was made, once, soon, and unchanged."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.drydock.ops.plugins.module_utils import gate_seal

MADE = datetime(2030, 1, 1, 12, tzinfo=UTC)
BACKEND = {"bucket": "states", "key": "dev/data.tfstate"}
HERE: dict[str, Any] = {
    "stack": "data", "environment": "dev", "account_id": "111111111111",
    "backend_config": BACKEND,
}  # fmt: skip
STATE = {"lineage": "abc", "serial": 7, "resources": [{}]}


def plan_file(folder: Path, state: dict[str, Any] | None = STATE) -> Path:
    path = folder / "one.tfplan"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("tfplan", "a plan")
        if state is not None:
            file.writestr("tfstate", json.dumps(state))
    return path


def sealed(path: Path) -> dict[str, Any]:
    return gate_seal.make(path, made=MADE.isoformat(), losses=[], **HERE)


def broken(seal: dict[str, Any], path: Path, **other: Any) -> list[str]:
    settings = {
        **HERE, "caller_account": "111111111111", "state": STATE,
        "now": MADE + timedelta(minutes=5), **other,
    }  # fmt: skip
    return gate_seal.broken(seal, path, **settings)


def test_the_very_plan_here_and_now_is_applied(tmp_path: Path) -> None:
    path = plan_file(tmp_path)
    assert broken(sealed(path), path) == []


@pytest.mark.parametrize(
    ("other", "word"),
    [
        ({"environment": "prod"}, "made for environment dev, and this is prod"),
        ({"stack": "platform"}, "made for stack data, and this is platform"),
        ({"account_id": "333333333333"}, "made for account 111111111111"),
        ({"caller_account": "333333333333"}, "credentials are of account 333333333333"),
        ({"backend_config": {**BACKEND, "key": "prod/data.tfstate"}}, "s3://states/prod/data"),
        ({"state": {**STATE, "serial": 8}}, "serial 7 then, 8 now"),
        ({"state": {**STATE, "lineage": "other"}}, "lineage abc, here other"),
        ({"state": None}, "state that is gone"),
        ({"now": MADE + timedelta(hours=3)}, "180 minutes old, and 120 are allowed"),
        ({"now": MADE - timedelta(hours=1)}, "minutes old"),
    ],
)
def test_a_plan_is_refused_elsewhere_and_later(
    other: dict[str, Any], word: str, tmp_path: Path
) -> None:
    path = plan_file(tmp_path)
    said = " ".join(broken(sealed(path), path, **other))
    assert word in said
    assert "Start the playbook again" in said or "Sign in" in said


def test_a_plan_that_was_exchanged_is_refused(tmp_path: Path) -> None:
    path = plan_file(tmp_path)
    seal = sealed(path)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("more", "x")
    assert "SHA-256" in broken(seal, path)[0]
    path.unlink()
    assert "is gone" in broken(seal, path)[0]


def test_a_first_plan_is_refused_once_there_is_a_state(tmp_path: Path) -> None:
    path = plan_file(tmp_path, {"lineage": "", "serial": 0})
    assert broken(sealed(path), path, state=None) == []
    assert broken(sealed(path), path, state={"lineage": "x", "serial": 1, "resources": []}) == []
    assert "now there is one" in broken(sealed(path), path)[0]


def test_what_is_no_plan_and_what_is_no_seal(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("hello")
    with pytest.raises(ValueError, match="not a plan"):
        sealed(path)
    assert "no whole seal" in broken({}, plan_file(tmp_path))[0]


def test_stacks_of_a_run_share_the_budget(tmp_path: Path) -> None:
    assert gate_seal.spend(tmp_path, "run 1", "data", 1, "2") == ""
    assert gate_seal.spend(tmp_path, "run 1", "streaming", 1, "2") == ""
    assert "data 1, streaming 1 of it are spent" in gate_seal.spend(tmp_path, "run 1", "x", 1, "2")
    # Again is not twice, and the next run begins anew.
    assert gate_seal.spend(tmp_path, "run 1", "data", 1, "2") == ""
    assert gate_seal.spend(tmp_path, "run 2", "x", 2, "2") == ""
    assert gate_seal.spend(tmp_path, "run 2", "y", 9, "all") == ""
