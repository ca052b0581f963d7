#!/usr/bin/python
"""Ansible module: stop tasks of a service one at a time, each only when the last is replaced."""

from __future__ import annotations

import math
import time
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
from ansible_collections.drydock.ops.plugins.module_utils.journal import Journal, JournalRefused
from ansible_collections.drydock.ops.plugins.module_utils.runs import Run, moment

DOCUMENTATION = r"""
module: ecs_replace_tasks
short_description: Have tasks of an ECS service replaced, one after another
description:
  - Stops a task and waits until ECS has another in its place that the load balancer sends
    requests to, or that finds itself healthy where there are no clients, before it stops the next.
  - Refuses more tasks than O(max_share) of the service. A task that is gone already is left out.
  - Each stop is in the runbook's journal; it can't be undone, and need not be.
options:
  cluster: {description: Name of the ECS cluster., type: str, required: true}
  service: {description: Name of the ECS service., type: str, required: true}
  tasks: {description: IDs of the tasks., type: list, elements: str, required: true}
  why: {description: Reason that ECS shows for the stop., type: str, required: true}
  max_share:
    description: The greatest part of the service's tasks to replace in one run; at least one.
    type: float
    default: 0.5
  target_group_arn:
    description: Target group of the tasks; without one their own health checks count.
    type: str
    default: ""
  alternate_target_group_arn: {description: The other one of its two., type: str, default: ""}
  environment: {description: Environment whose journal is kept., type: str, required: true}
  lock_table: {description: DynamoDB table of locks and journal., type: str, required: true}
  wait_timeout: {description: Seconds to wait for each replacement., type: int, default: 300}
  region: {description: AWS region., type: str, required: true}
attributes:
  check_mode: {support: full, details: Shows which tasks would be stopped.}
  diff_mode: {support: full}
author: [Drydock]
"""

EXAMPLES = r"""
- name: Replace the task that hangs
  drydock.ops.ecs_replace_tasks:
    cluster: drydock-dev
    service: hello
    tasks: [0123456789abcdef0123456789abcdef]
    why: it hangs
    target_group_arn: "{{ stack_outputs.platform.workloads.hello.target_group_arn }}"
    environment: dev
    lock_table: drydock-dev-tflock
    region: us-east-1
"""

RETURN = r"""
stopped:
  description: IDs of the tasks that were stopped, or would be.
  type: list
  elements: str
  returned: success
"""

POLL_SECONDS = 1.0


class Replacement:
    """Replaces tasks of one service."""

    def __init__(self, service: Service, elb: Any, groups: list[str]) -> None:
        self.service, self.elb, self.groups = service, elb, groups

    def present(self, wanted: list[str]) -> list[dict[str, Any]]:
        """Return those of the wanted tasks that still run."""
        running = {short(task["taskArn"]): task for task in self.service.tasks("RUNNING")}
        return [running[name] for name in wanted if name in running]

    def healthy(self) -> int:
        """Return how many targets the load balancer sends requests to; without clients, how many
        tasks run and do not wait for their own health check."""
        if not self.groups:
            running = self.service.tasks("RUNNING")
            return sum(task["lastStatus"] == "RUNNING" and self._well(task) for task in running)
        states = [
            one["TargetHealth"]["State"]
            for group in self.groups
            for one in self.elb.describe_target_health(TargetGroupArn=group)[
                "TargetHealthDescriptions"
            ]
        ]
        return states.count("healthy")

    def _well(self, task: dict[str, Any]) -> bool:
        checked = any(
            "healthCheck" in container
            for container in self.service.definition(task["taskDefinitionArn"])[
                "containerDefinitions"
            ]
        )
        return not checked or task.get("healthStatus") == "HEALTHY"

    def replace(self, task: dict[str, Any], why: str, timeout: float) -> None:
        """Stop a task and wait for the one in its place. Raises DeploymentFailed."""
        ecs, cluster = self.service.ecs, self.service.cluster
        ecs.stop_task(cluster=cluster, task=task["taskArn"], reason=why)
        end = time.monotonic() + timeout
        while True:
            now = self.service.describe()
            # A task that was told to stop is among neither of these.
            running, wanted, fit = now["runningCount"], now["desiredCount"], self.healthy()
            gone = not self.present([short(task["taskArn"])])
            if gone and running >= wanted and fit >= wanted:
                return
            if time.monotonic() >= end:
                raise DeploymentFailed(
                    f"Task {short(task['taskArn'])} of {self.service.name} was stopped, but after "
                    f"{timeout:g} s {running} of {wanted} tasks run and {fit} are healthy: no "
                    "further task is stopped. See why with runbooks/ecs-tasks-flapping.yml."
                )
            time.sleep(POLL_SECONDS)


def run(replacement: Replacement, want: dict[str, Any], journal: Journal | None) -> dict[str, Any]:
    """Replace the tasks; return the module's result. journal: None in check mode."""
    name = replacement.service.name
    desired = replacement.service.describe()["desiredCount"]
    tasks = replacement.present(want["tasks"])
    most = max(1, math.floor(want["max_share"] * desired))
    if len(tasks) > most:
        raise DeploymentFailed(
            f"{len(tasks)} of {desired} tasks of {name} are more than may be replaced in one run "
            f"(max_share={want['max_share']:g}, so {most}): name fewer."
        )
    names = [short(task["taskArn"]) for task in tasks]
    result = {
        "changed": bool(tasks),
        "stopped": names,
        "diff": {
            "before": "".join(f"task {name}\n" for name in names),
            "after": "".join("a task in its place\n" for _ in names),
        },
    }
    if journal is None:
        return result
    actions = []
    for task, task_name in zip(tasks, names, strict=True):
        what = f"{name}: stop task {task_name}"
        journal.begin(what, None, keep=True)
        actions.append({"at": moment(), "what": what, "target": name})
        replacement.replace(task, want["why"], want["wait_timeout"])
        journal.done(what)
    return {
        **result,
        "evidence": [f"{name}: task {task_name} replaced" for task_name in names],
        "runbook_evidence": {"actions": actions},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "cluster": {"type": "str", "required": True},
            "service": {"type": "str", "required": True},
            "tasks": {"type": "list", "elements": "str", "required": True},
            "why": {"type": "str", "required": True},
            "max_share": {"type": "float", "default": 0.5},
            "target_group_arn": {"type": "str", "default": ""},
            "alternate_target_group_arn": {"type": "str", "default": ""},
            "environment": {"type": "str", "required": True},
            "lock_table": {"type": "str", "required": True},
            "wait_timeout": {"type": "int", "default": 300},
            "region": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    require_boto3(module)
    want = module.params
    try:
        service = Service(client("ecs", want["region"]), want["cluster"], want["service"])
        elb = client("elbv2", want["region"])
        dynamodb = client("dynamodb", want["region"])
        journal = Journal(dynamodb, want["lock_table"], want["environment"], Run.current())
        groups = [want["target_group_arn"], want["alternate_target_group_arn"]]
        replacement = Replacement(service, elb, [group for group in groups if group])
        result = run(replacement, want, None if module.check_mode else journal)
    except (DeploymentFailed, JournalRefused) as error:
        module.fail_json(msg=str(error))
    except Exception as error:
        module.fail_json(msg=explain(error, f"Replacing tasks of {want['service']}"))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
