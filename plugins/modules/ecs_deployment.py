#!/usr/bin/python
"""Ansible module: one release of a workload on ECS, judged by its deployment's ID."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils.aws import (
    client,
    error_code,
    explain,
    require_boto3,
)
from ansible_collections.drydock.ops.plugins.module_utils.delivery import (
    OPTIONS,
    changes,
    refuse_while_turning,
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
    tidy,
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
  min_count:
    description:
      - The fewest tasks that autoscaling leaves the service, set as soon as there is an image to
        start. Terraform registers a service without tasks with a floor of none, for Application
        Auto Scaling starts tasks at once where there are fewer.
      - Without it the floor stays as it is.
    type: int
  delivery:
    description:
      - How the release takes over. ECS replaces tasks (rolling), or starts all of them beside the
        old ones and turns the clients; without it the service is left as it is.
    type: dict
    suboptions:
      strategy:
        description: Turn the clients not at all, at once, in equal steps, or a few first.
        type: str
        choices: [rolling, blue_green, linear, canary]
        required: true
      bake_minutes:
        description: Minutes for which the old tasks stay after the clients have been turned.
        type: int
        default: 5
      percent:
        description: Percent of the clients in each step (linear), or in the first (canary).
        type: float
        default: 10.0
      step_minutes: {description: Minutes after each step but the last., type: int, default: 5}
      alarms:
        description: Alarms that turn the clients back when they get red meanwhile.
        type: list
        elements: str
        default: []
      hooks:
        description: Lambda functions that can refuse the release.
        type: list
        elements: dict
        default: []
        suboptions:
          function: {description: ARN of the function., type: str, required: true}
          stages:
            description: Stages of AWS at which it is asked, such as C(POST_TEST_TRAFFIC_SHIFT).
            type: list
            elements: str
            required: true
      target_groups:
        description: ARNs of the two target groups that take turns.
        type: list
        elements: str
        default: []
      client_rule: {description: ARN of the listener rule by which clients come., type: str}
      trial_rule: {description: ARN of the listener rule by which it can be tried., type: str}
      role: {description: ARN of the role by which ECS turns rules and asks hooks., type: str}
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

# One call observes at most this long, and ends earlier when there is something to tell.
OBSERVE_SECONDS = 20


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


def floor_of(scaling: Any, service: Service, wanted: int) -> tuple[dict[str, str], int]:
    """Return what names the service in Application Auto Scaling, and its fewest tasks there.

    Raises DeploymentFailed where they can't be as many as wanted.
    """
    name, limits = scalable_target(scaling, service.cluster, service.name)
    if not limits:
        raise DeploymentFailed(
            f"{service.name} is not registered for autoscaling: "
            "run playbooks/provision.yml --limit platform first."
        )
    if wanted > limits["MaxCapacity"]:
        raise DeploymentFailed(
            f"min_count of {service.name} is {wanted}, above the most that autoscaling may start "
            f"here ({limits['MaxCapacity']}): if the inventory's max_count is higher, run "
            "playbooks/provision.yml --limit platform first; else lower min_count."
        )
    return name, limits["MinCapacity"]


def start(
    service: Service,
    want: dict[str, Any],
    check_mode: bool,
    elb: Any = None,
    scaling: Any = None,
) -> dict[str, Any]:
    """Register and update where needed. Returns the module's result without the waiting.

    elb, scaling: boto3's clients elbv2, asked where the delivery changes, and
    application-autoscaling, asked where min_count is given.
    """
    ecs = service.ecs
    least = want.get("min_count")
    scaled, floor = ({}, None) if least is None else floor_of(scaling, service, least)
    raising = floor != least
    now = service.describe()
    running_definition = service.definition(now["taskDefinition"])
    answer = ecs.describe_task_definition(taskDefinition=want["template"], include=["TAGS"])
    wanted = release(answer["taskDefinition"], want)
    before = taken(running_definition)
    primary = primary_of(now)
    target = now["taskDefinition"] if before == wanted else ""
    count = want["desired_count"] if now["desiredCount"] == 0 else now["desiredCount"]
    retry = bool(target) and primary.get("rolloutState") == "FAILED"
    delivery = changes(now, want.get("delivery"), elb)
    changed = not target or retry or count != now["desiredCount"] or bool(delivery)
    if changed:
        refuse_while_turning(service, now)
    result: dict[str, Any] = {
        "changed": changed or raising,
        "diff": {
            "before": shown(before, now["desiredCount"]),
            "after": {**shown(wanted, count), **delivery},
        },
        "evidence": [],
    }
    if raising:
        result["diff"]["before"]["min_count"] = floor
        result["diff"]["after"]["min_count"] = least
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
            **delivery,
            **options,
        )["service"]
        primary = primary_of(now)
        result["evidence"] = [f"deployment {primary['id']} of {short(target)} started"]
    if raising:
        # At once: while other workloads are waited for, autoscaling would take tasks away again.
        # What is not given, the upper limit and the suspended state, stays.
        scaling.register_scalable_target(**scaled, MinCapacity=least)
    deployment = {
        "id": primary["id"],
        "task_definition": target,
        "previous": previous,
        "started": time.time(),
        "image": want["image"],
    }
    return {**result, **observe(service, deployment, wait=0)}


def main(make: Callable[..., Any] = AnsibleModule) -> None:
    module = make(
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
            "min_count": {"type": "int"},
            "delivery": {"type": "dict", "options": OPTIONS},
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
        clients = functools.cache(lambda name: client(name, want["region"]))
        service = Service(clients("ecs"), want["cluster"], want["service"], clients)
        if want["phase"] == "start":
            scaling = clients("application-autoscaling")
            result = start(service, want, module.check_mode, clients("elbv2"), scaling)
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
