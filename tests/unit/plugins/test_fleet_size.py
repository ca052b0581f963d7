"""More nodes: within the group's limits, with the way back written down first."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.drydock.ops.plugins.module_utils.journal import Journal
from ansible_collections.drydock.ops.plugins.module_utils.runs import Run
from ansible_collections.drydock.ops.plugins.modules import fleet_size

REGION = "us-east-1"


@pytest.fixture
def want(aws: Any, table: Any) -> dict[str, Any]:
    scaling = aws("autoscaling")
    scaling.create_launch_configuration(
        LaunchConfigurationName="l", ImageId="ami-12c6146b", InstanceType="t3.micro"
    )
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="nodes", LaunchConfigurationName="l", MinSize=0, MaxSize=3,
        DesiredCapacity=1, AvailabilityZones=[f"{REGION}a"],
    )  # fmt: skip
    Journal(*table, "test", Run.current()).open("rpc-overloaded")
    return {"group": "nodes", "desired": 2, "environment": "test", "lock_table": "locks",
            "region": REGION}  # fmt: skip


def desired(aws: Any) -> int:
    groups = aws("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    return groups[0]["DesiredCapacity"]


def test_it_grows_and_is_put_back(aws: Any, table: Any, want: dict[str, Any]) -> None:
    assert fleet_size.grow(want, True)["changed"] and desired(aws) == 1
    assert fleet_size.grow(want, False)["runbook_evidence"]["actions"] and desired(aws) == 2
    assert not fleet_size.grow(want, False)["changed"]
    Journal(*table, "test", Run.current()).undo()
    assert desired(aws) == 1


def test_it_never_shrinks(aws: Any, want: dict[str, Any]) -> None:
    assert not fleet_size.grow({**want, "desired": 0}, False)["changed"]
    assert desired(aws) == 1


@pytest.mark.parametrize(
    ("more", "words"),
    [({"desired": 4}, "may have 3 instances, not 4"), ({"group": "none"}, "no Auto Scaling group")],
)
def test_what_can_not_be_is_refused(want: dict[str, Any], more: Any, words: str) -> None:
    with pytest.raises(fleet_size.Refused, match=words):
        fleet_size.grow({**want, **more}, False)
