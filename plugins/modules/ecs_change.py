#!/usr/bin/python
"""Ansible module: return a service to an earlier revision, or have it run more tasks."""

from __future__ import annotations

import time
from collections.abc import Callable
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
    observe,
    primary_of,
    scalable_target,
    short,
    shown,
    taken,
)
from ansible_collections.drydock.ops.plugins.module_utils.journal import Journal, JournalRefused
from ansible_collections.drydock.ops.plugins.module_utils.runs import Run, moment
from ansible_collections.drydock.ops.plugins.module_utils.turning_back import (
    observe_stop,
    stop,
    stoppable,
)

DOCUMENTATION = r"""
module: ecs_change
short_description: Return an ECS service to an earlier revision, or scale it out
description:
  - Has a service run a task definition that is registered already, or another number of tasks,
    and waits until it does. An earlier revision brings its configuration with it.
  - Refuses where the service no longer runs what the decision was made on, and numbers of tasks
    beyond O(max_count).
  - The call that puts it back is in the runbook's journal before any change. A return to another
    revision stays once it is complete; another number of tasks is undone if the runbook fails.
  - While the revision that the service is to leave is still taking over, its deployment is stopped
    and ECS turns the clients back at once; until it is done that is the only way back.
  - The action plugin of the same name calls this module again and again with O(phase=observe)
    and shows the progress; use it as one task.
options:
  cluster: {description: Name of the ECS cluster., type: str, required: true}
  service: {description: Name of the ECS service., type: str, required: true}
  instead_of:
    description: Revision, such as C(hello:7), that the decision was made on.
    type: str
    required: true
  task_definition: {description: Revision to run instead., type: str, default: ""}
  desired_count: {description: Number of tasks to run., type: int}
  max_count: {description: The most tasks that the workload may have., type: int, required: true}
  environment: {description: Environment whose journal is kept., type: str, required: true}
  lock_table: {description: DynamoDB table of locks and journal., type: str, required: true}
  wait_timeout: {description: Seconds to wait for the tasks., type: int, default: 600}
  region: {description: AWS region., type: str, required: true}
  phase:
    description: Set by the action plugin.
    type: str
    choices: [start, observe]
    default: start
  deployment: {description: Set by the action plugin., type: dict, default: {}}
attributes:
  check_mode: {support: full, details: Shows what would change; journals and updates nothing.}
  diff_mode: {support: full}
author: [Drydock]
"""

EXAMPLES = r"""
- name: Roll back to the last good deployment
  drydock.ops.ecs_change:
    cluster: drydock-dev
    service: hello
    instead_of: drydock-dev-hello:8
    task_definition: drydock-dev-hello:7
    max_count: 6
    environment: dev
    lock_table: drydock-dev-tflock
    region: us-east-1
"""

RETURN = r"""
finished:
  description: Whether the service runs what was asked for.
  type: bool
  returned: success
progress:
  description: Where it stands, in words.
  type: str
  returned: success
deployment:
  description: The deployment that is waited for.
  type: dict
  returned: success
"""

OBSERVE_SECONDS = 20


def start(
    service: Service, want: dict[str, Any], journal: Journal | None, scaling: Any
) -> dict[str, Any]:
    """Update the service where needed; return the module's result without the waiting.

    More tasks are held by autoscaling's floor too: it sees only what it tracks, mostly the
    processor, and would take them away again.

    journal: None in check mode, in which nothing is changed. scaling: boto3's client
    application-autoscaling.
    Raises DeploymentFailed where the change is refused, JournalRefused, botocore's errors.
    """
    now = service.describe()
    before = now["taskDefinition"]
    after = service.definition(want["task_definition"] or before)
    target = after["taskDefinitionArn"]
    count = now["desiredCount"] if want["desired_count"] is None else want["desired_count"]
    _refuse(service, want, now, short(target), count)
    failed = primary_of(now).get("rolloutState") == "FAILED"
    changed = target != before or count != now["desiredCount"] or failed
    result = {
        "changed": changed,
        "diff": {
            "before_header": f"{service.name} ({short(before)})",
            "after_header": f"{service.name} ({short(target)})",
            "before": shown(taken(service.definition(before)), now["desiredCount"]),
            "after": shown(taken(after), count),
        },
    }
    taking_over = stoppable(service, now, target) if target != before else None
    if journal is None:
        return {**result, "finished": True, "progress": "", "deployment": {}}
    what = _words(service.name, now, short(target), count)
    if taking_over:
        return {**result, **stop(service, taking_over, journal, what)}
    if changed:
        named = {"cluster": service.cluster, "service": service.name}
        back: dict[str, Any] = {**named}
        calls = []
        if target != before:
            back["taskDefinition"] = before
        if count != now["desiredCount"]:
            back["desiredCount"] = now["desiredCount"]
        target_name, limits = scalable_target(scaling, service.cluster, service.name)
        floor = limits.get("MinCapacity")
        raised = floor is not None and floor < count and count > now["desiredCount"]
        if raised:
            # First, or autoscaling would bring the tasks back at once.
            calls.append(
                {
                    "service": "application-autoscaling",
                    "operation": "RegisterScalableTarget",
                    "parameters": {**target_name, "MinCapacity": floor},
                    "region": want["region"],
                }
            )
        calls.append(
            {
                "service": "ecs",
                "operation": "UpdateService",
                "parameters": back,
                "region": want["region"],
            }
        )
        # A service that runs an earlier revision is whole, whatever else is wrong.
        journal.begin(what, calls, keep=target != before)
        options = {"forceNewDeployment": True} if failed and target == before else {}
        if raised:
            scaling.register_scalable_target(**target_name, MinCapacity=count)
        now = service.ecs.update_service(
            **named, taskDefinition=target, desiredCount=count, **options
        )["service"]
    image = after["containerDefinitions"][0]["image"]
    deployment = {
        "id": primary_of(now)["id"],
        "task_definition": target,
        "previous": before if before != target else "",
        "image": image,
        "started": time.time(),
        "at": moment(),
        "step": what if changed else "",
    }
    return {**result, **observe(service, deployment, wait=0)}


def _refuse(
    service: Service, want: dict[str, Any], now: dict[str, Any], target: str, count: int
) -> None:
    runs = short(now["taskDefinition"])
    if runs not in (short(want["instead_of"]), target):
        raise DeploymentFailed(
            f"{service.name} runs {runs} now, no longer {short(want['instead_of'])}: somebody "
            "has released meanwhile. Run the runbook again; it decides on what it finds then."
        )
    if count > want["max_count"] or count < now["desiredCount"]:
        raise DeploymentFailed(
            f"{service.name} can't be scaled from {now['desiredCount']} to {count} tasks: this "
            f"only scales out, to at most max_count={want['max_count']}; change max_count of the "
            "workload in the inventory and provision."
        )


def _words(name: str, now: dict[str, Any], target: str, count: int) -> str:
    before = short(now["taskDefinition"])
    parts = [f"{target} instead of {before}"] if target != before else []
    if count != now["desiredCount"]:
        parts.append(f"{count} tasks instead of {now['desiredCount']}")
    return f"{name}: run {' with '.join(parts) or f'{target} anew'}"


def watch(
    service: Service, deployment: dict[str, Any], journal: Journal, wait: float
) -> dict[str, Any]:
    """Observe; at the end mark the step as done and say it in the evidence."""
    look = observe_stop if "stopped" in deployment else observe
    seen = look(service, deployment, wait)
    step = deployment["step"]
    if not seen["finished"] or not step:
        return seen
    journal.done(step)
    action = {"at": deployment["at"], "what": step, "target": service.name}
    return {
        **seen,
        "evidence": [f"{step}: complete (deployment {deployment['id']})"],
        "runbook_evidence": {"actions": [action]},
    }


def main(make: Callable[..., Any] = AnsibleModule) -> None:
    module = make(
        argument_spec={
            "cluster": {"type": "str", "required": True},
            "service": {"type": "str", "required": True},
            "instead_of": {"type": "str", "required": True},
            "task_definition": {"type": "str", "default": ""},
            "desired_count": {"type": "int"},
            "max_count": {"type": "int", "required": True},
            "environment": {"type": "str", "required": True},
            "lock_table": {"type": "str", "required": True},
            "wait_timeout": {"type": "int", "default": 600},
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
        dynamodb = client("dynamodb", want["region"])
        journal = Journal(dynamodb, want["lock_table"], want["environment"], Run.current())
        if want["phase"] == "observe":
            seen = watch(service, want["deployment"], journal, OBSERVE_SECONDS)
            result = {"changed": False, **seen}
        else:
            scaling = client("application-autoscaling", want["region"])
            result = start(service, want, None if module.check_mode else journal, scaling)
    except (DeploymentFailed, JournalRefused) as error:
        module.fail_json(msg=str(error))
    except Exception as error:
        module.fail_json(msg=explain(error, f"Changing {want['service']}"))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
