"""The fleet serves again: the load balancer sends calls to every node, and each says it is well."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest


def _states(facts: dict[str, Any], aws: Callable[[str], Any], port: str) -> dict[str, str]:
    """Instance → state in the target group of a port."""
    group = facts["outputs"]["solana"]["target_group_arns"][port]
    found = aws("elbv2").describe_target_health(TargetGroupArn=group)
    return {
        one["Target"]["Id"]: one["TargetHealth"]["State"]
        for one in found["TargetHealthDescriptions"]
    }


@pytest.mark.parametrize("port", ["rpc", "websocket"])
def test_every_node_is_in_the_pool(
    facts: dict[str, Any], aws: Callable[[str], Any], port: str
) -> None:
    """The load balancer sends calls to every node of the fleet."""
    wanted = dict.fromkeys(facts["nodes"], "healthy")
    end = time.monotonic() + 60  # two of its checks, and what it needs to tell
    while (found := _states(facts, aws, port)) != wanted and time.monotonic() < end:
        time.sleep(1)
    assert found == wanted


def test_the_worst_node_is_healthy(facts: dict[str, Any], aws: Callable[[str], Any]) -> None:
    """The newest figures of the nodes say that the worst of them is healthy."""
    outputs, cloudwatch = facts["outputs"]["solana"], aws("cloudwatch")
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[f"{outputs['fleet_name']}-node-unhealthy"])[
        "MetricAlarms"
    ]
    period = alarm["Metrics"][0]["MetricStat"]["Period"]

    def newest() -> float | None:
        now = datetime.now(UTC)
        points = cloudwatch.get_metric_statistics(
            Namespace=outputs["metric_namespace"], MetricName="NodeHealthy", Period=period,
            Dimensions=[{"Name": "AutoScalingGroupName", "Value": outputs["fleet_name"]}],
            StartTime=now - timedelta(minutes=10), EndTime=now + timedelta(minutes=1),
            Statistics=["Minimum"],
        )["Datapoints"]  # fmt: skip
        return max(points, key=lambda one: one["Timestamp"])["Minimum"] if points else None

    # The period in which it became well began before that.
    end = time.monotonic() + 2 * period + 10
    while (found := newest()) != 1 and time.monotonic() < end:
        time.sleep(1)
    assert found is not None, "no node tells how it is"
    assert found == 1
