"""What a plan says to people: complete, and without a secret."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.drydock.ops.plugins.module_utils.plans import MASK, UNKNOWN, summarise

SECRET = "hunter2-planted"


def change(actions: list[str], **detail: Any) -> dict[str, Any]:
    """Return an entry of resource_changes; keys of the change itself go into detail."""
    outer = {
        key: detail.pop(key)
        for key in ("mode", "previous_address", "deposed", "action_reason")
        if key in detail
    }
    return {
        "address": "aws_thing.one",
        "mode": "managed",
        **outer,
        "change": {
            "actions": actions,
            "before": None,
            "after": None,
            "before_sensitive": False,
            "after_sensitive": False,
            "after_unknown": {},
            **detail,
        },
    }


def summary(*changes: dict[str, Any], **outputs: Any) -> dict[str, Any]:
    return summarise({"resource_changes": list(changes), "output_changes": outputs})


@pytest.mark.parametrize(
    ("actions", "kind", "symbol"),
    [
        (["create"], "add", "+ "),
        (["update"], "change", "~ "),
        (["delete"], "destroy", "- "),
        (["delete", "create"], "replace", "-/+ "),
        (["create", "delete"], "replace", "+/- "),
        (["forget"], "forget", ". "),
    ],
)
def test_each_action_is_counted_and_shown(actions: list[str], kind: str, symbol: str) -> None:
    found = summary(change(actions))
    assert found["counts"][kind] == 1
    assert sum(found["counts"].values()) == 1
    assert found["lines"][0].startswith(f"{symbol}aws_thing.one")


def test_no_op_and_data_sources_are_silent() -> None:
    found = summary(change(["no-op"]), change(["read"], mode="data"))
    assert found["lines"] == []
    assert set(found["counts"].values()) == {0}


def test_a_move_and_an_import_without_another_change_are_shown() -> None:
    found = summary(
        change(["no-op"], previous_address="aws_thing.old"),
        change(["no-op"], importing={"id": "i-1"}),
    )
    assert found["counts"]["move"] == found["counts"]["import"] == 1
    assert "moved from aws_thing.old" in found["lines"][0]
    assert "imported from i-1" in found["lines"][1]
    assert "1 to import" in found["sentence"]


def test_a_replacement_names_order_and_cause() -> None:
    found = summary(
        change(
            ["create", "delete"],
            before={"name": "a", "id": "1"},
            after={"name": "b"},
            after_unknown={"id": True},
            replace_paths=[["name"]],
            action_reason="replace_because_cannot_update",
        )
    )
    assert found["lines"][0] == (
        "+/- aws_thing.one (replace: create, then destroy, forced by name)"
    )
    assert found["lines"][1:] == ['    name: "a" → "b"']


def test_an_update_shows_only_what_differs() -> None:
    found = summary(
        change(
            ["update"],
            before={"a": 1, "tags": {"x": "1", "y": "2"}, "list": [1, 2]},
            after={"a": 1, "tags": {"x": "1", "y": "3"}, "list": [1]},
        )
    )
    assert found["lines"][1:] == ["    list[1]: 2 → null", '    tags.y: "2" → "3"']


def test_unknown_values_are_named_at_any_depth() -> None:
    found = summary(
        change(
            ["update"],
            before={"arn": "x", "nested": [{"id": "1", "keep": 1}]},
            after={"nested": [{"keep": 1}]},
            after_unknown={"arn": True, "nested": [{"id": True}]},
        )
    )
    assert found["lines"][1:] == [
        f'    arn: "x" → {UNKNOWN}',
        f'    nested[0].id: "1" → {UNKNOWN}',
    ]


@pytest.mark.parametrize(
    "detail",
    [
        {"before": {"v": SECRET}, "after": {"v": SECRET + "2"}, "before_sensitive": {"v": True}},
        {"before": {"v": SECRET}, "after": {"v": SECRET + "2"}, "after_sensitive": {"v": True}},
        {"before": {"v": "a"}, "after": {"v": SECRET}, "after_sensitive": True},
        {
            "before": {"b": [{"deep": {"v": SECRET}}]},
            "after": {"b": [{"deep": {"v": SECRET + "2"}}]},
            "before_sensitive": {"b": [{"deep": {"v": True}}]},
            "after_sensitive": {"b": [{"deep": {"v": True}}]},
        },
        {
            "before": {"b": [{"v": SECRET}]},
            "after": {"b": []},
            "before_sensitive": {"b": [{"v": True}]},
        },
        {
            "before": {"b": None},
            "after": {"b": {"v": SECRET}},
            "after_sensitive": {"b": {"v": True}},
        },
        {
            "before": {"v": SECRET},
            "after": {},
            "before_sensitive": {"v": True},
            "after_unknown": {"v": True},
        },
        {"before": {"master_password": SECRET}, "after": {"master_password": SECRET + "2"}},
        {"before": {"definition": f'{{"password":"{SECRET}"}}'}, "after": {"definition": "{}"}},
        {
            "before": {"env": [{"name": "TOKEN", "value": SECRET}]},
            "after": {"env": [{"name": "TOKEN", "value": SECRET + "2"}]},
        },
    ],
)
@pytest.mark.parametrize("actions", [["update"], ["delete", "create"], ["create", "delete"]])
def test_no_secret_is_shown(actions: list[str], detail: dict[str, Any]) -> None:
    found = summary(change(actions, **detail))
    assert SECRET not in str(found)
    # A replacement leaves out what is merely unknown again.
    assert MASK in str(found["lines"]) or "after_unknown" in detail


@pytest.mark.parametrize("actions", [["create"], ["delete"]])
def test_creation_and_destruction_show_no_values(actions: list[str]) -> None:
    found = summary(change(actions, before={"v": SECRET}, after={"v": SECRET}))
    assert SECRET not in str(found)


def test_outputs_are_counted_even_alone_and_masked() -> None:
    found = summary(
        url={"actions": ["update"], "before": "a", "after": "b"},
        key={"actions": ["create"], "before": None, "after": SECRET, "after_sensitive": True},
        gone={"actions": ["delete"], "before": SECRET, "after": None, "before_sensitive": True},
        same={"actions": ["no-op"], "before": "a", "after": "a"},
    )
    assert found["counts"]["outputs"] == 3
    assert '~ output url: "a" → "b"' in found["lines"]
    assert f"+ output key: {MASK}" in found["lines"]
    assert SECRET not in str(found)
    assert found["sentence"].endswith("3 outputs to change")


def test_long_values_are_cut() -> None:
    found = summary(change(["update"], before={"v": "x" * 500}, after={"v": "y"}))
    assert len(found["lines"][1]) < 200
