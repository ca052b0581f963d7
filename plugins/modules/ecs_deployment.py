#!/usr/bin/python
"""Ansible module: one release of a workload on ECS, judged by its deployment's ID."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils.aws import (
    client,
    error_code,
    explain,
    require_boto3,
)

DOCUMENTATION = r"""
module: ecs_deployment
short_description: Release an image with its configuration on an ECS service
description:
  - Takes the revision that Terraform made as a template, adds image, environment and secrets,
    registers the result only if it differs from what the service runs, and updates the service.
  - Waits until the very deployment that this started is complete. If ECS rolls it back, if it
    fails, or if another takes its place, the task fails and says which, why, and what still serves.
  - The action plugin of the same name calls this module again and again with O(phase=observe)
    and shows the progress; use it as one task.
options:
  cluster: {description: Name of the ECS cluster., type: str, required: true}
  service: {description: Name of the ECS service., type: str, required: true}
  template:
    description: ARN of the task definition to take as template.
    type: str
    required: true
  container:
    description: Container in the template that the image is for.
    type: str
    required: true
  image: {description: Image to run., type: str, required: true}
  environment: {description: Environment variables of the container., type: dict, default: {}}
  secrets:
    description: Environment variables that ECS fills in, each with the ARN that holds the value.
    type: dict
    default: {}
  desired_count:
    description: Number of tasks to start with; used only while the service has none.
    type: int
    default: 1
  wait_timeout: {description: Seconds to wait for the deployment., type: int, default: 900}
  region: {description: AWS region., type: str, required: true}
  phase:
    description: Set by the action plugin.
    type: str
    choices: [start, observe]
    default: start
  deployment: {description: Set by the action plugin., type: dict, default: {}}
attributes:
  check_mode:
    support: full
    details: Shows what would be registered; registers and updates nothing.
  diff_mode:
    support: full
author: [Drydock]
"""

EXAMPLES = r"""
- name: Release
  drydock.ops.ecs_deployment:
    cluster: drydock-dev
    service: hello
    template: "{{ stack_outputs.platform.workloads.hello.task_definition_arn }}"
    container: hello
    image: "{{ image }}"
    environment: {LOG_LEVEL: info}
    desired_count: 2
    region: us-east-1
"""

RETURN = r"""
deployment:
  description: Deployment, revision that it runs and the one before, as short names.
  type: dict
  returned: success
progress:
  description: Where the deployment stands, in words.
  type: str
  returned: success
finished:
  description: Whether the deployment is complete.
  type: bool
  returned: success
"""

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
# One call observes at most this long, and ends earlier when there is something to tell.
OBSERVE_SECONDS = 20


class DeploymentFailed(Exception):
    """The deployment did not get to serve; the text says which, why and what still serves."""


def short(arn: str) -> str:
    """Return the last part of an ARN, such as `family:7`."""
    return arn.rpartition("/")[2]


def tidy(value: Any) -> Any:
    """Return a definition without what is empty or only AWS's way of saying nothing."""
    if isinstance(value, dict):
        found = {
            key: tidy(part) for key, part in value.items() if key != "cpu" or part not in (0, "0")
        }
        return {key: part for key, part in found.items() if part not in (None, [], {}, "")}
    if isinstance(value, list):
        found = [tidy(part) for part in value]
        if found and all(isinstance(part, dict) and "name" in part for part in found):
            return sorted(found, key=lambda part: part["name"])
        return found
    return value


def taken(definition: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a task definition that can be registered again."""
    return tidy({key: definition[key] for key in TAKEN if key in definition})


def release(template: dict[str, Any], want: dict[str, Any]) -> dict[str, Any]:
    """Return the template with image and configuration in it, ready to be registered."""
    wanted = taken(template)
    names = [container["name"] for container in wanted["containerDefinitions"]]
    if want["container"] not in names:
        raise DeploymentFailed(
            f"The task definition {short(template['taskDefinitionArn'])} has no container "
            f"{want['container']} (it has {', '.join(names)}): the workload's name and the "
            "platform "
            "stack's container differ; run playbooks/provision.yml --limit platform."
        )
    for container in wanted["containerDefinitions"]:
        if container["name"] == want["container"]:
            environment = {
                entry["name"]: entry["value"] for entry in container.get("environment", [])
            }
            environment |= {name: str(value) for name, value in want["environment"].items()}
            secrets = {entry["name"]: entry["valueFrom"] for entry in container.get("secrets", [])}
            secrets |= want["secrets"]
            container["image"] = want["image"]
            container["environment"] = [
                {"name": name, "value": value} for name, value in sorted(environment.items())
            ]
            container["secrets"] = [
                {"name": name, "valueFrom": arn} for name, arn in sorted(secrets.items())
            ]
    return tidy(wanted)


class Service:
    """One ECS service."""

    def __init__(self, ecs: Any, cluster: str, name: str) -> None:
        self.ecs, self.cluster, self.name = ecs, cluster, name

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


def primary_of(service: dict[str, Any]) -> dict[str, Any]:
    return next((one for one in service["deployments"] if one["status"] == "PRIMARY"), {})


def start(service: Service, want: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Register and update where needed. Returns the module's result without the waiting."""
    ecs = service.ecs
    now = service.describe()
    running_definition = service.definition(now["taskDefinition"])
    answer = ecs.describe_task_definition(taskDefinition=want["template"], include=["TAGS"])
    wanted = release(answer["taskDefinition"], want)
    before = taken(running_definition)
    primary = primary_of(now)
    target = now["taskDefinition"] if before == wanted else ""
    count = want["desired_count"] if now["desiredCount"] == 0 else now["desiredCount"]
    retry = bool(target) and primary.get("rolloutState") == "FAILED"
    changed = not target or retry or count != now["desiredCount"]
    result: dict[str, Any] = {
        "changed": changed,
        "diff": {"before": _shown(before, now["desiredCount"]), "after": _shown(wanted, count)},
        "evidence": [],
    }
    # What the load balancer sends to until the new one is healthy; none on a first release.
    previous = (
        now["taskDefinition"] if now["runningCount"] and now["taskDefinition"] != target else ""
    )
    if check_mode:
        note = f"would run {want['image']} with {count} tasks" if changed else "runs this already"
        return {**result, "finished": True, "progress": note, "deployment": {}}
    if not target:
        # A run that was ended between registering and updating left the revision behind.
        latest = service.definition(wanted["family"])
        if taken(latest) == wanted:
            target = latest["taskDefinitionArn"]
        else:
            tags = {"tags": answer["tags"]} if answer.get("tags") else {}
            target = ecs.register_task_definition(**wanted, **tags)["taskDefinition"][
                "taskDefinitionArn"
            ]
    if changed:
        options = {"forceNewDeployment": True} if retry else {}
        now = ecs.update_service(
            cluster=service.cluster,
            service=service.name,
            taskDefinition=target,
            desiredCount=count,
            **options,
        )["service"]
        primary = primary_of(now)
        result["evidence"] = [f"deployment {primary['id']} of {short(target)} started"]
    deployment = {
        "id": primary["id"],
        "task_definition": target,
        "previous": previous,
        "started": time.time(),
        "image": want["image"],
    }
    return {**result, **observe(service, deployment, wait=0)}


def _shown(definition: dict[str, Any], count: int) -> dict[str, Any]:
    """Return a definition as a diff shows it; secrets are ARNs there, never values."""
    return {"desired_count": count, **{key: definition[key] for key in sorted(definition)}}


def observe(service: Service, deployment: dict[str, Any], wait: float) -> dict[str, Any]:
    """Watch a deployment until it ends, something changes, or `wait` seconds are over.

    Returns {finished, progress, deployment}; raises DeploymentFailed.
    """
    end = time.monotonic() + wait
    while True:
        now = service.describe()
        own = next((one for one in now["deployments"] if one["id"] == deployment["id"]), None)
        primary = primary_of(now)
        if own is None or own["status"] != "PRIMARY" or own.get("rolloutState") == "FAILED":
            raise DeploymentFailed(failure(service, deployment, now, own, primary))
        finished = (
            own.get("rolloutState", "COMPLETED") == "COMPLETED"
            and own["runningCount"] >= own["desiredCount"]
            and all(
                one["runningCount"] == 0 for one in now["deployments"] if one["id"] != own["id"]
            )
        )
        progress = progress_of(now, own)
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


def stopped_tasks(service: Service, deployment: dict[str, Any]) -> list[str]:
    """Return why tasks of a deployment stopped, the same reasons counted together."""
    reasons: Counter[str] = Counter()
    for task in service.tasks("STOPPED"):
        belongs = (
            task["startedBy"] == deployment["id"]
            if task.get("startedBy")
            else task["taskDefinitionArn"] == deployment["task_definition"]
        )
        if not belongs:
            continue
        words = [task.get("stoppedReason") or task.get("stopCode") or "no reason given"]
        for container in task.get("containers", []):
            if container.get("exitCode") is not None:
                words.append(f"container {container['name']} exited with {container['exitCode']}")
            if container.get("reason"):
                words.append(container["reason"])
        reasons[", ".join(words)] += 1
    return [f"{count} of them: {text}" for text, count in reasons.most_common(4)]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "cluster": {"type": "str", "required": True},
            "service": {"type": "str", "required": True},
            "template": {"type": "str", "required": True},
            "container": {"type": "str", "required": True},
            "image": {"type": "str", "required": True},
            "environment": {"type": "dict", "default": {}},
            # The ARNs of secrets, not their values.
            "secrets": {"type": "dict", "default": {}, "no_log": False},
            "desired_count": {"type": "int", "default": 1},
            "wait_timeout": {"type": "int", "default": 900},
            "region": {"type": "str", "required": True},
            "phase": {"type": "str", "choices": ["start", "observe"], "default": "start"},
            "deployment": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    require_boto3(module)
    want = module.params
    try:
        service = Service(client("ecs", want["region"]), want["cluster"], want["service"])
        if want["phase"] == "start":
            result = start(service, want, module.check_mode)
        else:
            result = {"changed": False, **observe(service, want["deployment"], OBSERVE_SECONDS)}
    except DeploymentFailed as failed:
        module.fail_json(msg=str(failed))
    except Exception as error:
        if error_code(error) == "ClusterNotFoundException":
            module.fail_json(
                msg=f"There is no cluster {want['cluster']}: "
                "run playbooks/provision.yml --limit platform first."
            )
        module.fail_json(msg=explain(error, f"Release of {want['service']}"))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
