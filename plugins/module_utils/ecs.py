"""What a service on ECS runs, and how one of its deployments gets on, for every ECS module."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from ansible_collections.drydock.ops.plugins.module_utils import release_failure

# What RegisterTaskDefinition takes of what DescribeTaskDefinition gives (botocore's ecs model).
TAKEN = (
    "family",
    "taskRoleArn",
    "executionRoleArn",
    "networkMode",
    "containerDefinitions",
    "volumes",
    "placementConstraints",
    "requiresCompatibilities",
    "cpu",
    "memory",
    "pidMode",
    "ipcMode",
    "proxyConfiguration",
    "ephemeralStorage",
    "runtimePlatform",
)
POLL_SECONDS = 2
# AWS's words for the strategies by which clients are turned from one target group to another, and
# for what a service deployment is while it can still move on.
TURNING = ("BLUE_GREEN", "LINEAR", "CANARY")
GOING = ("PENDING", "IN_PROGRESS", "STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS")


class DeploymentFailed(Exception):
    """The deployment did not get to serve; the text says which, why and what still serves."""


def short(arn: str) -> str:
    """Return the last part of an ARN, such as `family:7`."""
    return arn.rpartition("/")[2]


_NOTHING = (None, [], {}, "")


def tidy(value: Any) -> Any:
    """Return a definition without what is empty or only AWS's way of saying nothing.

    A variable's ``value`` is kept: one that is empty is set all the same.
    """
    if isinstance(value, dict):
        found = {
            key: tidy(part) for key, part in value.items() if key != "cpu" or part not in (0, "0")
        }
        return {key: part for key, part in found.items() if key == "value" or part not in _NOTHING}
    if isinstance(value, list):
        found = [tidy(part) for part in value]
        if found and all(isinstance(part, dict) and "name" in part for part in found):
            return sorted(found, key=lambda part: part["name"])
        return found
    return value


def taken(definition: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a task definition that can be registered again."""
    return tidy({key: definition[key] for key in TAKEN if key in definition})


def shown(definition: dict[str, Any], count: int) -> dict[str, Any]:
    """Return a definition as a diff shows it; secrets are ARNs there, never values."""
    return {"desired_count": count, **{key: definition[key] for key in sorted(definition)}}


class Service:
    """One ECS service."""

    def __init__(
        self,
        ecs: Any,
        cluster: str,
        name: str,
        clients: release_failure.Clients | None = None,
    ) -> None:
        """clients: gives the clients that a failure's cause is asked of; None leaves it unnamed."""
        self.ecs, self.cluster, self.name, self.clients = ecs, cluster, name, clients

    def describe(self) -> dict[str, Any]:
        found = self.ecs.describe_services(cluster=self.cluster, services=[self.name])["services"]
        active = [service for service in found if service["status"] == "ACTIVE"]
        if not active:
            raise DeploymentFailed(
                f"The cluster {self.cluster} has no active service {self.name}: "
                "run playbooks/provision.yml --limit platform first."
            )
        return active[0]

    def definition(self, arn: str) -> dict[str, Any]:
        return self.ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]

    def tasks(self, status: str) -> list[dict[str, Any]]:
        """Return the service's tasks whose desired status is RUNNING or STOPPED."""
        listed = self.ecs.list_tasks(
            cluster=self.cluster, serviceName=self.name, desiredStatus=status
        )
        arns = listed["taskArns"][:100]  # what one DescribeTasks takes
        return self.ecs.describe_tasks(cluster=self.cluster, tasks=arns)["tasks"] if arns else []

    def running(self, definition: str) -> int:
        """Return how many tasks of a revision run."""
        return sum(
            task["taskDefinitionArn"] == definition and task["lastStatus"] == "RUNNING"
            for task in self.tasks("RUNNING")
        )


def setting(definition: dict[str, Any], container: str, name: str) -> str:
    """Return a variable of a container; empty where it is not set."""
    return next(
        (
            pair["value"]
            for one in definition["containerDefinitions"]
            if one["name"] == container
            for pair in one.get("environment", [])
            if pair["name"] == name
        ),
        "",
    )


def primary_of(service: dict[str, Any]) -> dict[str, Any]:
    return next((one for one in service["deployments"] if one["status"] == "PRIMARY"), {})


def strategy_of(service: dict[str, Any]) -> str:
    """Return AWS's word for a described service's deployment strategy."""
    return (service.get("deploymentConfiguration") or {}).get("strategy") or "ROLLING"


def newest(service: Service, now: dict[str, Any]) -> dict[str, Any] | None:
    """Return the newest service deployment of a service that turns its clients; None of others.

    now: the service as ECS describes it.
    """
    if strategy_of(now) not in TURNING:
        return None
    listed = service.ecs.list_service_deployments(cluster=service.cluster, service=service.name)
    found = sorted(listed["serviceDeployments"], key=lambda one: one["createdAt"])
    return service_deployment(service, found[-1]["serviceDeploymentArn"]) if found else None


def service_deployment(service: Service, arn: str) -> dict[str, Any]:
    answer = service.ecs.describe_service_deployments(serviceDeploymentArns=[arn])
    return answer["serviceDeployments"][0]


def turned_words(turn: dict[str, Any]) -> str:
    """Return where a service deployment stands, such as `BAKE_TIME, 100 % of the clients`."""
    target = turn.get("targetServiceRevision") or {}
    share = target.get("requestedProductionTrafficWeight") or 0
    words = f"{turn.get('lifecycleStage') or turn['status']}, {share:g} % of the clients"
    if target.get("requestedTestTrafficWeight") and not share:
        words += ", it can be tried"
    return words


def observe(service: Service, deployment: dict[str, Any], wait: float) -> dict[str, Any]:
    """Watch a deployment until it ends, something changes, or `wait` seconds are over.

    Returns {finished, progress, deployment}; raises DeploymentFailed.
    """
    end = time.monotonic() + wait
    while True:
        now = service.describe()
        own = next((one for one in now["deployments"] if one["id"] == deployment["id"]), None)
        primary = primary_of(now)
        if service.clients:
            failing = release_failure.unhealthy(service.clients, now)
            deployment = {**deployment, "unhealthy": deployment.get("unhealthy", {}) | failing}
        if own is None or own["status"] != "PRIMARY" or own.get("rolloutState") == "FAILED":
            raise DeploymentFailed(failure(service, deployment, now, own, primary))
        turn = newest(service, now)
        finished = (
            own.get("rolloutState", "COMPLETED") == "COMPLETED"
            and (turn is None or turn["status"] not in GOING)
            and own["runningCount"] >= own["desiredCount"]
            and all(
                one["runningCount"] == 0 for one in now["deployments"] if one["id"] != own["id"]
            )
        )
        progress = progress_of(now, own)
        if turn and turn["status"] in GOING:
            progress += f"; {turned_words(turn)}"
        if finished or progress != deployment.get("progress") or time.monotonic() >= end:
            seen = {**deployment, "progress": progress}
            return {"finished": finished, "progress": progress, "deployment": seen}
        time.sleep(POLL_SECONDS)


def progress_of(service: dict[str, Any], own: dict[str, Any]) -> str:
    """Return where a deployment stands, in words."""
    words = f"{own['runningCount']} of {own['desiredCount']} tasks run"
    if own.get("pendingCount"):
        words += f", {own['pendingCount']} starting"
    if own.get("failedTasks"):
        words += f", {own['failedTasks']} failed"
    old = sum(one["runningCount"] for one in service["deployments"] if one["id"] != own["id"])
    if old:
        words += f", {old} of the version before still run"
    return words


def failure(
    service: Service,
    deployment: dict[str, Any],
    now: dict[str, Any],
    own: dict[str, Any] | None,
    primary: dict[str, Any],
) -> str:
    """Return the sentences for a deployment that did not get to serve."""
    reason = (own or {}).get("rolloutStateReason", "")
    if primary and primary["id"] != deployment["id"]:
        back = (
            primary["taskDefinition"] == deployment["previous"]
            or (own or {}).get("rolloutState") == "FAILED"
        )
        what = "was rolled back by ECS" if back else f"was superseded by {primary['id']}"
        reason = reason or primary.get("rolloutStateReason", "")
    else:
        what = "failed"
    turn = newest(service, now)
    if turn and turn["status"].startswith("ROLLBACK"):
        what += f" at {turn.get('lifecycleStage', 'an unknown stage')}"
        reason = turn.get("statusReason") or reason
    events = [event["message"] for event in now.get("events", [])[:10]]
    reason = reason or next(
        (text for text in events if short(deployment["id"]) in text), "ECS gives no reason"
    )
    parts = [
        f"Deployment {deployment['id']} of {service.name} "
        f"({short(deployment['task_definition'])}, image "
        f"{deployment['image']}) {what}: {reason.rstrip('.')}."
    ]
    stopped = stopped_tasks(service, deployment)
    if stopped:
        parts.append(f"Its tasks that stopped: {'; '.join(stopped)}.")
    if service.clients:
        parts += release_failure.causes(
            service.clients,
            now,
            of_deployment(service, deployment),
            service.definition(deployment["task_definition"]),
            deployment.get("unhealthy", {}),
        )
    if deployment["previous"]:
        count = service.running(deployment["previous"])
        old = short(deployment["previous"])
        parts.append(
            f"The version before ({old}) still serves with {count} tasks."
            if count
            else f"The version before ({old}) has no running task either: nothing serves now."
        )
    elif what == "failed" or "rolled" in what:
        parts.append("No version ran before it, so nothing serves now.")
    parts.append(
        "Mend the cause and deploy again; the tasks' own words are in the workload's log group."
    )
    return " ".join(parts)


def of_deployment(service: Service, deployment: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the stopped tasks of a deployment."""
    return [
        task
        for task in service.tasks("STOPPED")
        if (
            task["startedBy"] == deployment["id"]
            if task.get("startedBy")
            else task["taskDefinitionArn"] == deployment["task_definition"]
        )
    ]


def stopped_tasks(service: Service, deployment: dict[str, Any]) -> list[str]:
    """Return why tasks of a deployment stopped, the same reasons counted together."""
    reasons: Counter[str] = Counter()
    for task in of_deployment(service, deployment):
        words = [task.get("stoppedReason") or task.get("stopCode") or "no reason given"]
        for container in task.get("containers", []):
            if container.get("exitCode") is not None:
                words.append(f"container {container['name']} exited with {container['exitCode']}")
            if container.get("reason"):
                words.append(container["reason"])
        reasons[", ".join(words)] += 1
    return [f"{count} of them: {text}" for text, count in reasons.most_common(4)]


def scalable_target(scaling: Any, cluster: str, service: str) -> tuple[dict[str, str], dict]:
    """Return what names a service in Application Auto Scaling, and its limits as registered.

    scaling: boto3's client application-autoscaling. The limits are empty without autoscaling.
    """
    name = {
        "ServiceNamespace": "ecs",
        "ScalableDimension": "ecs:service:DesiredCount",
        "ResourceId": f"service/{cluster}/{service}",
    }
    found = scaling.describe_scalable_targets(
        ServiceNamespace=name["ServiceNamespace"],
        ScalableDimension=name["ScalableDimension"],
        ResourceIds=[name["ResourceId"]],
    )["ScalableTargets"]
    return name, found[0] if found else {}
