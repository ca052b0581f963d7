"""States are shown without their secrets; what can't be right is refused before any plan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.drydock.ops.plugins.filter.states import beyond_operation, drift_report
from ansible_collections.drydock.ops.plugins.module_utils import states
from ansible_collections.drydock.ops.plugins.modules import state_overlay, terraform_drift

VPC, SUBNET = "module.network.aws_vpc.this", 'module.network.aws_subnet.a["us-east-1a"]'
STATE = {
    "resources": [
        {
            "mode": "managed", "type": "aws_vpc", "name": "this", "module": "module.network",
            "instances": [{"attributes": {"id": "vpc-1"}}],
        },
        {
            "mode": "managed", "type": "aws_subnet", "name": "a", "module": "module.network",
            "instances": [{"index_key": "us-east-1a", "attributes": {"id": "subnet-1"}}],
        },
        {
            "mode": "data", "type": "aws_region", "name": "here",
            "instances": [{"attributes": {"id": "us-east-1"}}],
        },
    ]
}  # fmt: skip
HELD = states.addresses(STATE)


def test_addresses_are_those_of_terraform() -> None:
    assert {name: one["id"] for name, one in HELD.items()} == {
        VPC: "vpc-1",
        SUBNET: "subnet-1",
        "data.aws_region.here": "us-east-1",
    }


@pytest.mark.parametrize(
    ("value", "marks"),
    [
        ({"value": "hunter2"}, {"value": True}),
        ({"value": "hunter2"}, True),
        ({"nested": [{"deep": "hunter2"}]}, {"nested": [{"deep": True}]}),
        ({"master_password": "hunter2"}, {}),
        ({"auth_token": ["hunter2"]}, {}),
        ({"settings": {"api_secret": "hunter2"}}, {}),
    ],
)
def test_no_secret_is_shown(value: Any, marks: Any) -> None:
    assert "hunter2" not in "\n".join(states.attributes(value, marks))


def test_what_is_no_secret_is_shown_whole() -> None:
    assert states.attributes({"id": "vpc-1", "tags": {"a": "b"}, "ports": [80], "x": None}, {}) == [
        'id: "vpc-1"',
        "ports[0]: 80",
        'tags.a: "b"',
        "x: null",
    ]


def want(operation: str, **given: str) -> dict[str, str]:
    return {"operation": operation, "address": "", "to": "", "id": "", "stack": "foundation",
            "environment": "dev", **given}  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (want("import", address="aws_vpc.new"), "needs the ID"),
        (want("import", address=VPC, id="vpc-1"), "already"),
        (want("import", address="vpc", id="vpc-1"), "no address"),
        (want("import", address='aws_vpc.a["${x}"]', id="vpc-1"), "no address"),
        (want("import", address="aws_vpc.a\n}\n", id="vpc-1"), "no address"),
        (want("import", address="module.network", id="vpc-1"), "no address"),
        (want("move", address="aws_vpc.new", to="aws_vpc.other"), "is not in"),
        (want("move", address=VPC, to=SUBNET), "already"),
        (want("move", address="module.network", to="module.network"), "already"),
        (want("move", address=VPC, to=""), "no address"),
    ],
)
def test_what_can_t_be_right_is_refused(asked: dict[str, str], says: str) -> None:
    with pytest.raises(state_overlay.Refused, match=says):
        state_overlay.check(asked, HELD)


@pytest.mark.parametrize(
    "asked",
    [
        want("import", address='module.a["x"].aws_vpc.this[0]', id="vpc-2"),
        want("move", address=VPC, to="module.other.aws_vpc.this"),
        want("move", address="module.network", to="module.net[0]"),
        want("move", address=SUBNET, to='module.network.aws_subnet.a["us-east-1b"]'),
    ],
)
def test_what_can_be_right_is_not(asked: dict[str, str]) -> None:
    state_overlay.check(asked, HELD)


def test_an_id_is_text_whatever_is_in_it() -> None:
    text = state_overlay.block(want("import", address="aws_x.y", id='a"${file("/etc/passwd")}%{b'))
    assert r'id = "a\"$${file(\"/etc/passwd\")}%%{b"' in text


def test_the_overlay_is_the_stack_and_a_block(tmp_path: Path) -> None:
    project = tmp_path / "project"
    stack = project / "terraform/stacks/foundation"
    for name in ("terraform/modules/network/main.tf", "runbooks/one.yml", ".git/HEAD",
                 "terraform/stacks/foundation/main.tf", "terraform/stacks/common.tf",
                 "terraform/stacks/foundation/.terraform/x"):  # fmt: skip
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(name)
    (stack / "common.tf").symlink_to("../common.tf")
    made = state_overlay.lay_out(stack, tmp_path / "overlay", "moved {}\n")
    for name in (
        "main.tf",
        "common.tf",
        "../../modules/network/main.tf",
        "../../../runbooks/one.yml",
    ):
        assert (made / name).is_file(), name
    assert (made / "state_operation.tf").read_text() == "moved {}\n"
    assert not (made / ".terraform").exists() and not (made / "../../../.git").exists()
    assert not (stack / "state_operation.tf").exists()
    # Laid out again over what a killed run left.
    state_overlay.lay_out(stack, tmp_path / "overlay", "import {}\n")
    assert (stack / "main.tf").is_file()


@pytest.mark.parametrize(
    ("lines", "beyond"),
    [
        ([f"= {VPC} (imported from vpc-1)"], []),
        ([f"~ {VPC} (imported from vpc-1)", "    tags: null → {}", "~ output vpc: x"], []),
        ([f"= {VPC} (moved from aws_vpc.a)", "+ aws_vpc.b"], ["+ aws_vpc.b"]),
        ([f"-/+ {VPC} (replace)"], [f"-/+ {VPC} (replace)"]),
        (["- aws_vpc.a"], ["- aws_vpc.a"]),
        ([f"~ {VPC}2"], [f"~ {VPC}2"]),
    ],
)  # fmt: skip
def test_a_plan_that_does_more_is_told_from_one_that_does_not(
    lines: list[str], beyond: list[str]
) -> None:
    assert beyond_operation(lines, VPC) == beyond


def drifted(address: str, actions: list[str]) -> dict[str, Any]:
    return {"address": address, "mode": "managed", "type": "aws_vpc",
            "change": {"actions": actions, "before": {"a": 1}, "after": {"a": 2}}}  # fmt: skip


def test_drift_is_told_from_what_is_gone_and_what_an_apply_would_do() -> None:
    plan = {
        "resource_drift": [
            drifted("aws_vpc.a", ["update"]),
            drifted("aws_vpc.b", ["delete"]),
            drifted("aws_vpc.c", ["update"]),
        ],
        "resource_changes": [
            drifted("aws_vpc.a", ["update"]),
            drifted("aws_vpc.b", ["create"]),
            drifted("aws_vpc.c", ["no-op"]),
        ],
    }
    found = terraform_drift.judge(plan)
    assert found["gone"] == ["aws_vpc.b"]
    assert found["drift"] == ["~ aws_vpc.a", "    a: 1 → 2"]
    assert [line for line in found["pending"] if not line.startswith(" ")] == [
        "~ aws_vpc.a",
        "+ aws_vpc.b",
    ]
    assert found["noted"][0] == "~ aws_vpc.c"
    assert terraform_drift.judge({}) == {
        "gone": [],
        "drift": [],
        "noted": [],
        "pending": [],
        "sentence": "nothing to change",
    }


def test_the_report_has_the_worst_first() -> None:
    calm = {"stack": "a", "drift": [], "gone": [], "pending": [], "sentence": "nothing to change"}
    results = [
        calm,
        {**calm, "stack": "b", "drift": ["~ aws_vpc.a"]},
        {**calm, "stack": "c", "gone": ["aws_vpc.b"]},
        {"stack": "d", "msg": "Stack d: no."},
    ]
    text = drift_report(results, "dev", "now")
    rows = [line.split()[1] for line in text.splitlines() if line.startswith("| ")][1:]
    assert rows == ["d", "c", "b", "a"]
    assert "Stack d: no." in text and "configuration asks for" not in text
    assert "configuration asks for" in drift_report([calm], "dev", "now")


def test_states_are_json_as_terraform_shows_them() -> None:
    shown = json.loads(
        '{"values": {"root_module": {"child_modules": [{"resources": '
        '[{"address": "module.a.aws_vpc.b", "values": {"id": "1"}}]}]}}}'
    )
    assert (states.find(shown, "module.a.aws_vpc.b") or {})["values"] == {"id": "1"}
    assert states.find(shown, "aws_vpc.b") is None
