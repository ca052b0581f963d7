"""A task with a loop: what its items say reaches the evidence, once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ansible_collections.drydock.ops.plugins.callback.evidence import CallbackModule


def _result(content: dict[str, Any]) -> Any:
    return SimpleNamespace(
        result=content,
        host=SimpleNamespace(get_name=lambda: "database"),
        task_name="Fail over",
        is_changed=lambda: content["changed"],
    )


def test_items_that_changed_something_say_so_in_the_evidence() -> None:
    callback = CallbackModule()
    for target in ("database", "cache"):
        action = {"at": "2026-01-02T03:04:05Z", "what": f"fail over {target}"}
        said = {"changed": True, "runbook_evidence": {"actions": [action]}, "evidence": [target]}
        callback.v2_runner_item_on_ok(_result(said))
    callback.v2_runner_on_ok(_result({"changed": True, "results": []}))
    assert [one["what"] for one in callback.runbooks[-1]["actions"]] == [
        "fail over database",
        "fail over cache",
    ]
    assert [note["text"] for note in callback.record["notes"]] == ["database", "cache"]
    assert len(callback.record["changes"]) == 1


def test_an_item_that_failed_says_what_it_had_begun() -> None:
    callback = CallbackModule()
    action = {"at": "2026-01-02T03:04:05Z", "what": "end 3 sessions"}
    said = {"changed": True, "failed": True, "msg": "no", "runbook_evidence": {"actions": [action]}}
    callback.v2_runner_item_on_failed(_result(said))
    callback.v2_runner_on_failed(_result({"changed": True, "msg": "One or more items failed"}))
    assert callback.runbooks[-1]["actions"] == [action]
    assert len(callback.record["failures"]) == 1
