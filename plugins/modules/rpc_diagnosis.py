#!/usr/bin/python
"""Ansible module: who and what overloads Solana's RPC nodes. Changes nothing."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import asdict
from datetime import UTC, datetime
from statistics import median
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils.aws import (
    client,
    explain,
    require_boto3,
)
from ansible_collections.drydock.ops.plugins.module_utils.ecs import (
    DeploymentFailed,
    Service,
    short,
)
from ansible_collections.drydock.ops.plugins.module_utils.rpc_load import Flow, Load, decide

DOCUMENTATION = r"""
module: rpc_diagnosis
short_description: Tell which caller or method overloads Solana's RPC nodes
description:
  - Reads what the cache in front of the nodes measures (namespace Drydock/RpcCache) by method and
    by caller, now and before it all began, the fleet's nodes and their health, and the limits of
    the cache's running revision; decides on tighter limits, longer caching and more nodes.
  - Reads only, also outside of check mode.
options:
  cluster: {description: Name of the ECS cluster., type: str, required: true}
  service: {description: ECS service of the cache., type: str, required: true}
  container: {description: Its container., type: str, required: true}
  workload: {description: The cache as its metrics name it., type: str, required: true}
  fleet:
    description: Auto Scaling group of the nodes; empty for an outside RPC.
    type: str
    default: ""
  target_group_arn: {description: Target group of the nodes' RPC., type: str, default: ""}
  since:
    description: When the alarm turned red, in seconds since 1970; 0 for now.
    type: float
    default: 0
  spared: {description: Callers that are never limited., type: list, elements: str, default: []}
  scale_out: {description: Whether nodes may be added., type: bool, default: true}
  period: {description: Seconds between two values of its metrics., type: int, default: 60}
  region: {description: AWS region., type: str, required: true}
attributes:
  check_mode: {support: full, details: Changes nothing anyway.}
author: [Drydock]
"""

EXAMPLES = r"""
- name: Diagnose
  drydock.ops.rpc_diagnosis:
    cluster: drydock-dev
    service: rpc_cache
    container: rpc_cache
    workload: rpc_cache
    fleet: drydock-dev-solana
    region: us-east-1
"""

RETURN = r"""
decision:
  description: cause, action (none, tighten, hand_over), because, plan, undo, follow_up, to; and
    what the action needs, variables, nodes.
  type: dict
  returned: success
current: {description: Revision that the cache runs, as a short name., type: str, returned: success}
"""

NAMESPACE = "Drydock/RpcCache"
NOW = 4  # periods that "now" is
LOOK_BACK = 60  # periods before it began that "before" is taken from
QUERIES = 500  # of one GetMetricData
COUNTS = ("NodeTime", "NodeCalls", "Calls", "Hits", "Limited")
Key = tuple[str, str, str]  # dimension, its value, metric


class Figures:
    """The cache's metrics."""

    def __init__(self, cloudwatch: Any, workload: str, period: int) -> None:
        self.cloudwatch, self.workload, self.period = cloudwatch, workload, period

    def names(self) -> list[tuple[str, str]]:
        """(dimension, value) of the methods and callers of the last hours."""
        found = []
        pages = self.cloudwatch.get_paginator("list_metrics").paginate(
            Namespace=NAMESPACE,
            MetricName="NodeTime",
            Dimensions=[{"Name": "Service", "Value": self.workload}],
            RecentlyActive="PT3H",
        )
        for page in pages:
            for metric in page["Metrics"]:
                own = {one["Name"]: one["Value"] for one in metric["Dimensions"]}
                found += [(name, own[name]) for name in ("Method", "Caller") if name in own]
        return sorted(found)

    def read(self, keys: list[Key], start: float, end: float) -> dict[Key, dict[float, float]]:
        """Values by metric and moment; dimension "" is the service itself."""
        found: dict[Key, dict[float, float]] = defaultdict(dict)
        for first in range(0, len(keys), QUERIES):
            part = keys[first : first + QUERIES]
            request = {
                "MetricDataQueries": [self._query(n, key) for n, key in enumerate(part)],
                "StartTime": datetime.fromtimestamp(start // self.period * self.period, UTC),
                "EndTime": datetime.fromtimestamp(end, UTC),
            }
            while True:
                answer = self.cloudwatch.get_metric_data(**request)
                for one in answer["MetricDataResults"]:
                    points = zip(one["Timestamps"], one["Values"], strict=True)
                    key = part[int(one["Id"][1:])]
                    found[key].update({at.timestamp(): value for at, value in points})
                if not answer.get("NextToken"):
                    break
                request["NextToken"] = answer["NextToken"]
        return found

    def _query(self, number: int, key: Key) -> dict[str, Any]:
        dimension, value, metric = key
        named = {"Service": self.workload, **({dimension: value} if dimension else {})}
        return {
            "Id": f"q{number}",
            "MetricStat": {
                "Metric": {
                    "Namespace": NAMESPACE,
                    "MetricName": metric,
                    "Dimensions": [{"Name": n, "Value": v} for n, v in named.items()],
                },
                "Period": self.period,
                "Stat": "p95" if metric == "NodeLatency" else "Sum",
            },
        }


def flows(
    found: dict[Key, dict[float, float]], dimension: str, at: float, began: float, period: int
) -> list[Flow]:
    """What each method or caller asked for, per second, now and before it began."""
    now_from = max(at - NOW * period, began - period)
    seconds = max(at - now_from, period)
    quiet_from, quiet_to = began - LOOK_BACK * period, began - 2 * period
    # All periods in which anything was asked: in those without a figure of its own a caller asked
    # for next to nothing, so that one who was there for a moment before is no old acquaintance.
    measured = {t for points in found.values() for t in points if quiet_from <= t < quiet_to}

    def rate(value: str, metric: str) -> float:
        points = found.get((dimension, value, metric), {})
        return sum(v for t, v in points.items() if t >= now_from) / seconds

    def usual(value: str) -> float:
        points = found.get((dimension, value, "NodeCalls"), {})
        return median(points.get(t, 0.0) for t in measured) / period if measured else 0.0

    made = [
        Flow(
            name=value,
            node_ms=rate(value, "NodeTime"),
            node_calls=rate(value, "NodeCalls"),
            before=usual(value),
            calls=rate(value, "Calls"),
            hits=rate(value, "Hits"),
            limited=rate(value, "Limited"),
        )
        for value in sorted({value for name, value, _ in found if name == dimension})
    ]
    return [one for one in made if one.calls or one.node_calls]


def fleet(want: dict[str, Any]) -> dict[str, int]:
    """Nodes wanted, healthy and at most; nothing where the nodes are somebody else's."""
    if not want["fleet"]:
        return {}
    groups = client("autoscaling", want["region"]).describe_auto_scaling_groups(
        AutoScalingGroupNames=[want["fleet"]]
    )["AutoScalingGroups"]
    if not groups:
        return {}
    health = client("elbv2", want["region"]).describe_target_health(
        TargetGroupArn=want["target_group_arn"]
    )["TargetHealthDescriptions"]
    healthy = sum(one["TargetHealth"]["State"] == "healthy" for one in health)
    return {
        "wanted": groups[0]["DesiredCapacity"],
        "healthy": healthy,
        "most": groups[0]["MaxSize"],
    }


def observe(want: dict[str, Any], at: float) -> tuple[Load, str]:
    """Return what was seen, and the revision that the cache runs. at: now, epoch seconds."""
    region, period = want["region"], want["period"]
    figures = Figures(client("cloudwatch", region), want["workload"], period)
    began = want["since"] or at - NOW * period
    keys: list[Key] = [("", "", "NodeLatency")]
    keys += [(name, value, metric) for name, value in figures.names() for metric in COUNTS]
    found = figures.read(keys, began - LOOK_BACK * period, at)
    late = found[("", "", "NodeLatency")]
    now = [value for moment, value in late.items() if moment >= at - NOW * period]
    before = [value for moment, value in late.items() if moment < began - 2 * period]
    service = Service(client("ecs", region), want["cluster"], want["service"])
    revision = service.describe()["taskDefinition"]
    settings = {
        pair["name"]: pair["value"]
        for one in service.definition(revision)["containerDefinitions"]
        if one["name"] == want["container"]
        for pair in one.get("environment", [])
    }
    tuned = ("TTL_FACTOR", "METHOD_TTLS", "METHOD_LIMITS", "CALLER_LIMITS", "CALLER_RATE")
    load = Load(
        late=median(now) if now else None,
        late_before=median(before) if before else None,
        callers=flows(found, "Caller", at, began, period),
        methods=flows(found, "Method", at, began, period),
        settings={name: settings[name] for name in tuned if name in settings},
        **fleet(want),
    )
    return load, short(revision)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "cluster": {"type": "str", "required": True},
            "service": {"type": "str", "required": True},
            "container": {"type": "str", "required": True},
            "workload": {"type": "str", "required": True},
            "fleet": {"type": "str", "default": ""},
            "target_group_arn": {"type": "str", "default": ""},
            "since": {"type": "float", "default": 0},
            "spared": {"type": "list", "elements": "str", "default": []},
            "scale_out": {"type": "bool", "default": True},
            "period": {"type": "int", "default": 60},
            "region": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    require_boto3(module)
    want = module.params
    try:
        load, revision = observe(want, time.time())
    except DeploymentFailed as error:
        module.fail_json(msg=str(error))
    except Exception as error:
        module.fail_json(msg=explain(error, "Diagnosis of the load on the nodes"))
    module.exit_json(
        changed=False,
        decision=decide(load, want["spared"], want["scale_out"]),
        current=revision,
        runbook_evidence={"facts": [{"load": asdict(load)}]},
    )


if __name__ == "__main__":
    main()
