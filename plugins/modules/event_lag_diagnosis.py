#!/usr/bin/python
"""Ansible module: why events wait in the stream. Changes nothing."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils.aws import (
    client,
    explain,
    require_boto3,
)
from ansible_collections.drydock.ops.plugins.module_utils.ecs import (
    DeploymentFailed,
    scalable_target,
    setting,
    short,
)
from ansible_collections.drydock.ops.plugins.module_utils.event_lag import (
    Lag,
    Shard,
    Task,
    decide,
    sentences,
)
from ansible_collections.drydock.ops.plugins.module_utils.service_facts import (
    ServiceFacts,
    address,
)

DOCUMENTATION = r"""
module: event_lag_diagnosis
short_description: Tell why the events of a stream wait
description:
  - Watches the leases of the stream's readers for signs of life, and reads the consumer's metrics
    (namespace Drydock/Consumer), the stream's, and the newest lines of its tasks' logs.
  - Tells frozen tasks, a database or a stream that does not answer, refused events and plain
    overload apart; decides on replacing tasks, on more tasks, or whom to hand over to.
  - Reads only, also outside of check mode.
options:
  cluster: {description: Name of the ECS cluster., type: str, required: true}
  service: {description: ECS service of the consumer., type: str, required: true}
  container: {description: Its container., type: str, required: true}
  workload: {description: The consumer as its metrics name it., type: str, required: true}
  command: {description: How runbooks are started here., type: str, required: true}
  stream: {description: Name of the stream., type: str, required: true}
  lease_table: {description: DynamoDB table of its readers' leases., type: str, required: true}
  period: {description: Seconds between two values of its metrics., type: int, default: 60}
  region: {description: AWS region., type: str, required: true}
attributes:
  check_mode: {support: full, details: Changes nothing anyway.}
author: [Drydock]
"""

EXAMPLES = r"""
- name: Diagnose
  drydock.ops.event_lag_diagnosis:
    cluster: drydock-dev
    service: consumer
    container: consumer
    workload: consumer
    command: ansible-playbook -i inventories/dev
    stream: drydock-dev-events
    lease_table: drydock-dev-events-leases
    region: us-east-1
"""

RETURN = r"""
decision:
  description: >-
    cause, action (none, restart, scale, hand_over), because, plan, undo, to; and what the action
    needs, tasks, count.
  type: dict
  returned: success
current: {description: Revision that it runs, as a short name., type: str, returned: success}
maximum: {description: The most tasks that autoscaling allows., type: int, returned: success}
"""

NAMESPACE = "Drydock/Consumer"
NOW = 4  # periods that "now" is
RECENT_STOPS = 300  # seconds
POLL_SECONDS = 0.5
END = "SHARD_END"
Leases = dict[str, dict[str, Any]]


def leases(dynamodb: Any, table: str) -> Leases:
    """Return the shards' leases by shard: owner, counter, fence, checkpoint, parents."""
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=table,
        ConsistentRead=True,
        FilterExpression="begins_with(leaseKey, :shard)",
        ExpressionAttributeValues={":shard": {"S": "shardId-"}},
    )
    return {
        row["leaseKey"]["S"]: {
            "owner": row.get("leaseOwner", {}).get("S", ""),
            "counter": int(row["leaseCounter"]["N"]),
            "fence": int(row["fence"]["N"]),
            "checkpoint": row["checkpoint"]["S"],
            "parents": [one["S"] for one in row.get("parents", {}).get("L", [])],
        }
        for page in pages
        for row in page["Items"]
    }


def _life(lease: Mapping[str, Any]) -> tuple[int, int]:
    return lease["fence"], lease["counter"]


def watch(look: Callable[[], Leases], seconds: float) -> tuple[Leases, Leases, float]:
    """Return the leases before and after, and the seconds between: until each has shown life, or
    the time is over after which a silent owner has lost its shard."""
    begun = time.monotonic()
    before = after = look()
    while True:
        over = time.monotonic() - begun
        silent = [
            shard for shard, lease in after.items()
            if lease["checkpoint"] != END and shard in before
            and _life(lease) == _life(before[shard])
        ]  # fmt: skip
        if not silent or over >= seconds:
            return before, after, over
        time.sleep(POLL_SECONDS)
        after = look()


def said(lines: list[str]) -> tuple[int, Counter[str]]:
    """Return how many lines say that AWS is out of reach, and what is tried again for."""
    unavailable, trying = 0, Counter[str]()
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if not isinstance(event, dict):
            continue
        what, reason = event.get("event"), str(event.get("reason", ""))
        unavailable += what in ("leases_unavailable", "read_failed")
        if what == "try_again" or (what == "read_failed" and "Exceeded" in reason):
            trying[reason.partition(":")[0] if what == "try_again" else reason[:80]] += 1
    return unavailable, trying


class Figures:
    """Metrics of the consumer and of the stream."""

    def __init__(self, cloudwatch: Any, want: Mapping[str, Any], at: float) -> None:
        self.cloudwatch, self.want, self.at = cloudwatch, want, at

    def read(self, shards: list[str]) -> dict[str, float | None]:
        """Return `incoming`, `applied`, `rejected` per second, `throttled`, and each shard's
        newest lag in milliseconds; None where nothing was measured."""
        period, own = self.want["period"], {"Service": self.want["workload"]}
        stream = {"StreamName": self.want["stream"]}
        asked = {
            "incoming": ("AWS/Kinesis", "IncomingRecords", stream, "Sum"),
            "throttled": ("AWS/Kinesis", "ReadProvisionedThroughputExceeded", stream, "Sum"),
            "applied": (NAMESPACE, "Applied", own, "Sum"),
            "rejected": (NAMESPACE, "Rejected", own, "Sum"),
        }
        names = list(asked) + shards
        for shard in shards:
            asked[shard] = (NAMESPACE, "MillisBehindLatest", {**own, "Shard": shard}, "Maximum")
        start = (self.at - NOW * period) // period * period
        pages = self.cloudwatch.get_paginator("get_metric_data").paginate(
            MetricDataQueries=[
                {"Id": f"q{number}", "MetricStat": self._stat(*asked[name])}
                for number, name in enumerate(names)
            ],
            StartTime=datetime.fromtimestamp(start, UTC),
            EndTime=datetime.fromtimestamp(self.at, UTC),
        )
        found: dict[str, dict[float, float]] = {name: {} for name in names}
        for page in pages:
            for one in page["MetricDataResults"]:
                points = zip(one["Timestamps"], one["Values"], strict=True)
                name = names[int(one["Id"][1:])]
                found[name].update({at.timestamp(): value for at, value in points})
        span = max(self.at - start, period)
        made: dict[str, float | None] = {
            name: sum(found[name].values()) / span for name in ("incoming", "applied", "rejected")
        }
        made["throttled"] = sum(found["throttled"].values())
        for shard in shards:
            made[shard] = found[shard][max(found[shard])] if found[shard] else None
        return made

    def _stat(
        self, namespace: str, metric: str, dimensions: Mapping[str, str], stat: str
    ) -> dict[str, Any]:
        named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
        return {
            "Metric": {"Namespace": namespace, "MetricName": metric, "Dimensions": named},
            "Period": self.want["period"],
            "Stat": stat,
        }


def readable(found: Leases) -> list[str]:
    """Return the shards that may be read now: not ended, and their parents are, or are gone."""
    return sorted(
        shard
        for shard, lease in found.items()
        if lease["checkpoint"] != END
        and all(
            parent not in found or found[parent]["checkpoint"] == END for parent in lease["parents"]
        )
    )


def owner_of(name: str, tasks: list[dict[str, Any]]) -> str:
    """Return the task that a lease's owner is; empty where it does not run.

    An owner is the host name of its task, which on Fargate begins with its address.
    """
    host = name.split(".")[0]
    for task in tasks:
        if address(task) and host == f"ip-{address(task).replace('.', '-')}":
            return short(task["taskArn"])
    return ""


def observe(want: Mapping[str, Any], clients: Callable[[str], Any]) -> Lag:
    """Return what was seen. Raises DeploymentFailed, botocore's errors."""
    facts = ServiceFacts(clients, want, time.time())
    now = facts.service.describe()
    definition = facts.definition(now["taskDefinition"])
    seconds = float(setting(definition, want["container"], "LEASE_SECONDS") or 10)
    dynamodb = clients("dynamodb")
    before, after, watched = watch(lambda: leases(dynamodb, want["lease_table"]), seconds)
    at = time.time()
    facts.at = at
    running = facts.service.tasks("RUNNING")
    shards = readable(after)
    figures = Figures(clients("cloudwatch"), want, at).read(shards)
    _, limits = scalable_target(
        clients("application-autoscaling"), want["cluster"], want["service"]
    )
    tasks = []
    for task in sorted(running, key=lambda one: one["taskArn"]):
        lines = facts.log(task, at - 3 * seconds)
        unavailable, trying = said(lines)
        started = task.get("startedAt")
        age = at - started.timestamp() if started else 0.0
        tasks.append(Task(short(task["taskArn"]), age, len(lines), unavailable, dict(trying)))
    flapped = [
        one
        for one in map(facts.ended, facts.stopped())
        if one.by_itself and at - one.at < RECENT_STOPS
    ]

    def shard(name: str) -> Shard:
        was, is_now = before.get(name, after[name]), after[name]
        return Shard(
            id=name,
            owner=owner_of(is_now["owner"], running),
            alive=name not in before or _life(was) != _life(is_now),
            moved=name not in before or was["checkpoint"] != is_now["checkpoint"],
            behind=figures[name],
        )

    return Lag(
        shards=[shard(name) for name in shards],
        tasks=tasks,
        incoming=figures["incoming"] or 0,
        applied=figures["applied"] or 0,
        rejected=figures["rejected"] or 0,
        throttled=figures["throttled"] or 0,
        watched=watched,
        lease_seconds=seconds,
        desired=now["desiredCount"],
        maximum=limits.get("MaxCapacity", now["desiredCount"]),
        flapped=len(flapped),
        rolling=len(now["deployments"]) > 1,
        revision=short(now["taskDefinition"]),
    )


def main(make: Callable[..., Any] = AnsibleModule) -> None:
    module = make(
        argument_spec={
            "cluster": {"type": "str", "required": True},
            "service": {"type": "str", "required": True},
            "container": {"type": "str", "required": True},
            "workload": {"type": "str", "required": True},
            "command": {"type": "str", "required": True},
            "stream": {"type": "str", "required": True},
            "lease_table": {"type": "str", "required": True},
            "period": {"type": "int", "default": 60},
            "region": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    require_boto3(module)
    want = module.params
    try:
        seen = observe(want, lambda service: client(service, want["region"]))
    except DeploymentFailed as error:
        module.fail_json(msg=str(error))
    except Exception as error:
        module.fail_json(msg=explain(error, f"Diagnosis of the lag of {want['stream']}"))
    module.exit_json(
        changed=False,
        decision=decide(seen, want["command"], want["workload"]),
        current=seen.revision,
        maximum=min(seen.maximum, max(len(seen.shards), 1)),
        seen=sentences(seen),
        runbook_evidence={"facts": [{"lag": asdict(seen)}]},
    )


if __name__ == "__main__":
    main()
