"""The steps of sleep and wake. Each looks, does what can be done now, and says what it waits for.

A step is repeated until it waits for nothing, and to repeat it is the same as to go on after a run
that was
killed: what is done is seen at the resources, and what there was is in their tag (module power).

Facts: RDS stops no instance with a read replica, starts a stopped one by itself after seven days,
and snapshots only one that is available (RDS user guide); Application Auto Scaling leaves a
suspended service alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ansible_collections.drydock.ops.plugins.module_utils import power
from ansible_collections.drydock.ops.plugins.module_utils.ecs import scalable_target
from ansible_collections.drydock.ops.plugins.module_utils.power import (
    SUSPENSIONS,
    TAG,
    Outcome,
    Refused,
    tags_of,
)

STARTS_ITSELF = timedelta(days=7)
# Statuses that pass by themselves; in any other RDS neither stops nor starts an instance.
PASSING = [
    "backing-up",
    "configuring-enhanced-monitoring",
    "creating",
    "maintenance",
    "modifying",
    "rebooting",
    "renaming",
    "resetting-master-credentials",
    "starting",
    "stopping",
    "storage-optimization",
    "upgrading",
]


@dataclass
class Night:
    """What a step works on. since: when this night began; write: false in check mode."""

    clients: dict[str, Any]
    environment: str
    now: datetime
    since: datetime
    write: bool

    @property
    def cluster(self) -> str:
        return f"drydock-{self.environment}"

    def call(self, service: str, operation: str, /, **parameters: Any) -> None:
        """Change something, unless it is a rehearsal."""
        if self.write:
            getattr(self.clients[service], operation)(**parameters)


# Services.


def services(night: Night) -> Iterator[dict[str, Any]]:
    """Return the active services of the environment, with their tags."""
    ecs = night.clients["ecs"]
    if not ecs.describe_clusters(clusters=[night.cluster])["clusters"]:
        return
    pages = ecs.get_paginator("list_services").paginate(cluster=night.cluster)
    arns = [arn for page in pages for arn in page["serviceArns"]]
    for start in range(0, len(arns), 10):  # as many as DescribeServices takes
        found = ecs.describe_services(
            cluster=night.cluster, services=arns[start : start + 10], include=["TAGS"]
        )
        yield from (one for one in found["services"] if one["status"] == "ACTIVE")


def sleep_services(night: Night) -> Outcome:
    """No tasks, and autoscaling that brings none back."""
    out = Outcome()
    for service in services(night):
        name, wanted = service["serviceName"], service["desiredCount"]
        tags = tags_of(service.get("tags"))
        until = power.awake_until(tags, f"service {name}", night.now)
        if wanted and until:
            out.kept.append(f"{name} stays up: kept awake until {power.shown(until)}")
        elif wanted:
            target, found = scalable_target(night.clients["scaling"], night.cluster, name)
            held = found.get("SuspendedState", {})
            if TAG in tags:  # a run before this one has suspended already
                held = power.read_service_note(tags[TAG])[1]
            note = power.service_note(wanted, held)
            if tags.get(TAG) != note:
                _tag_service(night, service, note)
            _suspend(night, target, found, dict.fromkeys(SUSPENSIONS.values(), True))
            _scale(night, name, 0)
            out.done.append(f"{name}: 0 tasks instead of {wanted}")
            if night.write:
                out.waiting.append(f"{name} ends {wanted} tasks")
        elif service["runningCount"] and TAG in tags:
            out.waiting.append(f"{name} still runs {service['runningCount']} tasks")
    return out


def wake_services(night: Night) -> Outcome:
    """The tasks that there were, running and healthy, and autoscaling as it was."""
    out = Outcome()
    for service in services(night):
        name, tags = service["serviceName"], tags_of(service.get("tags"))
        if TAG not in tags:
            continue
        count, held = power.read_service_note(tags[TAG])
        if service["desiredCount"] != count:
            _scale(night, name, count)
            out.done.append(f"{name}: {count} tasks")
        elif _serving(night, service) >= count:
            target, found = scalable_target(night.clients["scaling"], night.cluster, name)
            _suspend(night, target, found, held)
            arn = service["serviceArn"]
            night.call("ecs", "untag_resource", resourceArn=arn, tagKeys=[TAG])
            out.done.append(f"{name}: {count} tasks run and serve")
            continue
        if night.write:
            serving = _serving(night, service)
            said = next((one["message"] for one in service.get("events", [])), "")
            out.waiting.append(
                f"{name} runs {service['runningCount']} of {count} tasks, {serving} serve"
                + (f" ({said.strip('()')})" if serving < count and said else "")
            )
    return out


def _serving(night: Night, service: dict[str, Any]) -> int:
    """Return how many tasks run and are healthy in each of the service's target groups."""
    sets = [one for one in service.get("taskSets", []) if one["status"] == "PRIMARY"]
    balancers = service.get("loadBalancers") or [
        one for held in sets for one in held.get("loadBalancers", [])
    ]
    counts = [service["runningCount"]]
    for balancer in balancers:
        health = night.clients["elbv2"].describe_target_health(
            TargetGroupArn=balancer["targetGroupArn"]
        )["TargetHealthDescriptions"]
        # A group that no listener leads to is not checked.
        good = ("healthy", "unused")
        counts.append(sum(one["TargetHealth"]["State"] in good for one in health))
    return min(counts)


def _tag_service(night: Night, service: dict[str, Any], note: str) -> None:
    tags = [{"key": TAG, "value": note}]
    night.call("ecs", "tag_resource", resourceArn=service["serviceArn"], tags=tags)


def _scale(night: Night, name: str, count: int) -> None:
    night.call("ecs", "update_service", cluster=night.cluster, service=name, desiredCount=count)


def _suspend(
    night: Night, target: dict[str, str], found: dict[str, Any], wanted: dict[str, bool]
) -> None:
    now = found.get("SuspendedState", {})
    if found and any(now.get(key, False) != value for key, value in wanted.items()):
        night.call("scaling", "register_scalable_target", **target, SuspendedState=wanted)


# The fleet.


def fleets(night: Night) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Return the environment's Auto Scaling groups with their tags."""
    pages = night.clients["autoscaling"].get_paginator("describe_auto_scaling_groups").paginate()
    for group in (one for page in pages for one in page["AutoScalingGroups"]):
        tags = tags_of(group.get("Tags"))
        if tags.get("Environment") == night.environment:
            yield group, tags


def sleep_fleet(night: Night) -> Outcome:
    """No nodes, nor any that an alarm could bring."""
    out = Outcome()
    for group, tags in fleets(night):
        name = group["AutoScalingGroupName"]
        size = (group["MinSize"], group["MaxSize"], group["DesiredCapacity"])
        until = power.awake_until(tags, f"fleet {name}", night.now)
        if any(size) and until:
            out.kept.append(f"{name} stays up: kept awake until {power.shown(until)}")
        elif any(size):
            note = "/".join(map(str, size))
            if tags.get(TAG) != note:
                _tag_fleet(night, name, "create_or_update_tags", note)
            _resize(night, name, (0, 0, 0))
            out.done.append(f"{name}: no nodes instead of {size[2]}")
            if night.write and group["Instances"]:
                out.waiting.append(f"{name} ends {len(group['Instances'])} nodes")
        elif group["Instances"] and TAG in tags:
            out.waiting.append(f"{name} still has {len(group['Instances'])} nodes")
    return out


def wake_fleet(night: Night) -> Outcome:
    """The size that there was, and its nodes in service."""
    out = Outcome()
    for group, tags in fleets(night):
        if TAG not in tags:
            continue
        name, size = group["AutoScalingGroupName"], power.read_fleet_note(tags[TAG])
        if (group["MinSize"], group["MaxSize"], group["DesiredCapacity"]) != size:
            _resize(night, name, size)
            out.done.append(f"{name}: {size[2]} nodes (from {size[0]} to {size[1]})")
            if night.write:
                out.waiting.append(f"{name} starts {size[2]} nodes")
            continue
        there = sum(one["LifecycleState"] == "InService" for one in group["Instances"])
        if there < size[2] and night.write:
            out.waiting.append(f"{name} has {there} of {size[2]} nodes in service")
            continue
        _tag_fleet(night, name, "delete_tags", tags[TAG])
        out.done.append(f"{name}: {size[2]} nodes in service")
    return out


def _tag_fleet(night: Night, name: str, operation: str, value: str) -> None:
    tag = {
        "ResourceId": name,
        "ResourceType": "auto-scaling-group",
        "Key": TAG,
        "Value": value,
        "PropagateAtLaunch": False,
    }
    night.call("autoscaling", operation, Tags=[tag])


def _resize(night: Night, name: str, size: tuple[int, int, int]) -> None:
    sizes = dict(zip(("MinSize", "MaxSize", "DesiredCapacity"), size, strict=True))
    night.call("autoscaling", "update_auto_scaling_group", AutoScalingGroupName=name, **sizes)


# Databases.


def databases(night: Night) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Return the environment's instances with their tags."""
    pages = night.clients["rds"].get_paginator("describe_db_instances").paginate()
    for database in (one for page in pages for one in page["DBInstances"]):
        tags = tags_of(database.get("TagList"))
        if tags.get("Environment") == night.environment:
            yield database, tags


def sleep_databases(night: Night, keep: int, needed: list[str]) -> Outcome:
    """A snapshot of this night, then a stop; of snapshots of nights, `keep` are left.

    needed: what stays up, and would miss its database.
    """
    out = Outcome()
    for database, tags in databases(night):
        name, status = database["DBInstanceIdentifier"], database["DBInstanceStatus"]
        reason = _stays(night, database, tags, needed)
        if reason and status != "stopped":
            out.kept.append(f"{name} stays up: {reason}")
        elif status == "available":
            _stop(night, database, tags, out)
        elif status in PASSING:
            out.waiting.append(f"{name} is {status}")
        elif status != "stopped":
            out.warnings.append(f"{name} is {status}, in which RDS stops none: look at it")
        elif TAG in tags:
            starts = night.since + STARTS_ITSELF
            out.warnings.append(
                f"RDS starts {name} by itself after seven days, about {power.shown(starts)}"
            )
            _prune(night, name, keep, out)
    return out


def wake_databases(night: Night) -> Outcome:
    """Those that were put to sleep, available."""
    out = Outcome()
    for database, tags in databases(night):
        name, status = database["DBInstanceIdentifier"], database["DBInstanceStatus"]
        if TAG not in tags:
            continue
        if status == "stopped":
            night.call("rds", "start_db_instance", DBInstanceIdentifier=name)
            out.done.append(f"{name}: started")
            if night.write:
                out.waiting.append(f"{name} starts")
        elif status == "available":
            arn = database["DBInstanceArn"]
            night.call("rds", "remove_tags_from_resource", ResourceName=arn, TagKeys=[TAG])
            out.done.append(f"{name}: available")
        elif status in PASSING or night.write is False:
            out.waiting.append(f"{name} is {status}")
        else:
            raise Refused(
                f"{name} is {status}, from which it does not start by itself: cure that (RDS's "
                "events of the "
                "instance say what it is), then run playbooks/wake.yml again."
            )
    return out


def _stays(night: Night, database: dict[str, Any], tags: dict[str, str], needed: list[str]) -> str:
    name = database["DBInstanceIdentifier"]
    if until := power.awake_until(tags, f"database {name}", night.now):
        return f"kept awake until {power.shown(until)}"
    if database.get("ReadReplicaSourceDBInstanceIdentifier"):
        return "it is a read replica, and RDS stops none"
    if replicas := database.get("ReadReplicaDBInstanceIdentifiers"):
        return f"RDS stops none that has a read replica ({', '.join(replicas)})"
    if needed:
        return f"what needs it is kept awake ({'; '.join(needed)})"
    return ""


def _stop(night: Night, database: dict[str, Any], tags: dict[str, str], out: Outcome) -> None:
    """One pass on the way down of an instance that is available."""
    name = database["DBInstanceIdentifier"]
    snapshot = f"{_prefix(name)}{night.since.astimezone(UTC):%Y%m%d-%H%M%S}"
    if tags.get(TAG) != snapshot:
        night.call(
            "rds",
            "add_tags_to_resource",
            ResourceName=database["DBInstanceArn"],
            Tags=[{"Key": TAG, "Value": snapshot}],
        )
    made = next((one for one in _snapshots(night, name) if _id(one) == snapshot), None)
    if made is None:
        labels = {TAG: name, "Environment": night.environment}
        night.call(
            "rds",
            "create_db_snapshot",
            DBSnapshotIdentifier=snapshot,
            DBInstanceIdentifier=name,
            Tags=[{"Key": key, "Value": value} for key, value in labels.items()],
        )
        out.done.append(f"{name}: snapshot {snapshot}")
        if night.write:
            out.waiting.append(f"{name} is being copied to {snapshot}")
            return
    elif made["Status"] == "creating":
        out.waiting.append(f"{snapshot} is at {made.get('PercentProgress', 0)}%")
        return
    elif made["Status"] != "available":
        raise Refused(
            f"The snapshot {snapshot} of {name} is {made['Status']}, so {name} was not stopped: "
            "delete it and "
            "run playbooks/teardown.yml again, or playbooks/wake.yml to have all up again."
        )
    night.call("rds", "stop_db_instance", DBInstanceIdentifier=name)
    out.done.append(f"{name}: stopped")
    if night.write:
        out.waiting.append(f"{name} stops")


def _prefix(name: str) -> str:
    return f"{name}-asleep-"


def _id(snapshot: dict[str, Any]) -> str:
    return snapshot["DBSnapshotIdentifier"]


def _snapshots(night: Night, name: str) -> list[dict[str, Any]]:
    """Return the snapshots of nights of a database, oldest first: by name and by their own tag."""
    pages = (
        night.clients["rds"]
        .get_paginator("describe_db_snapshots")
        .paginate(DBInstanceIdentifier=name, SnapshotType="manual")
    )
    found = (one for page in pages for one in page["DBSnapshots"])
    return sorted(
        (
            one
            for one in found
            if _id(one).startswith(_prefix(name)) and tags_of(one.get("TagList")).get(TAG) == name
        ),
        key=_id,
    )


def _prune(night: Night, name: str, keep: int, out: Outcome) -> None:
    """Delete the oldest snapshots of nights, three at most: nobody deletes many by one mistake."""
    there = [one for one in _snapshots(night, name) if one["Status"] == "available"]
    for old in there[: max(0, len(there) - keep)][:3]:
        night.call("rds", "delete_db_snapshot", DBSnapshotIdentifier=_id(old))
        out.done.append(f"{name}: snapshot {_id(old)} deleted, {keep} newer ones are kept")
