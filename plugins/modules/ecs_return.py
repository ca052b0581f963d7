#!/usr/bin/python
"""Ansible module: return a service to the release that it had before this run's."""

from __future__ import annotations

import functools
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
    short,
)

DOCUMENTATION = r"""
module: ecs_return
short_description: Return an ECS service to the release before
description:
  - Has a service run the revision that it ran before, with its configuration, and waits until it
    does. For a release of the same run that is complete and yet wrong; for others there is
    M(drydock.ops.ecs_change), which keeps a journal.
  - The revision that was released is deregistered when it is done, so that nothing that looks for a
    good release later takes it for one.
  - Refuses where the service no longer runs what the run has released.
options:
  cluster: {description: Name of the ECS cluster., type: str, required: true}
  service: {description: Name of the ECS service., type: str, required: true}
  instead_of: {description: Revision that was released., type: str, required: true}
  task_definition: {description: Revision to run again., type: str, required: true}
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
author: [Drydock]
"""

EXAMPLES = r"""
- name: Return to the release before
  drydock.ops.ecs_return:
    cluster: drydock-dev
    service: hello
    instead_of: "{{ release.deployment.task_definition }}"
    task_definition: "{{ release.deployment.previous }}"
    region: us-east-1
"""

RETURN = r"""
deployment: {description: The deployment that returns., type: dict, returned: success}
progress: {description: Where it stands, in words., type: str, returned: success}
finished: {description: Whether it is complete., type: bool, returned: success}
"""

OBSERVE_SECONDS = 20


def start(service: Service, want: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Update the service; return the module's result without the waiting."""
    runs = service.describe()["taskDefinition"]
    if short(runs) != short(want["instead_of"]):
        raise DeploymentFailed(
            f"{service.name} runs {short(runs)} now, no longer {short(want['instead_of'])}: "
            "somebody has released meanwhile, and that is left alone."
        )
    if check_mode:
        return {"changed": True, "finished": True, "progress": "", "deployment": {}}
    now = service.ecs.update_service(
        cluster=service.cluster, service=service.name, taskDefinition=want["task_definition"]
    )["service"]
    deployment = {
        "id": primary_of(now)["id"],
        "task_definition": want["task_definition"],
        "previous": runs,
        "started": time.time(),
        "image": service.definition(want["task_definition"])["containerDefinitions"][0]["image"],
    }
    words = f"{service.name} returns from {short(runs)} to {short(want['task_definition'])}"
    return {"changed": True, "evidence": [words], **observe(service, deployment, wait=0)}


def main(make: Callable[..., Any] = AnsibleModule) -> None:
    words = ("cluster", "service", "instead_of", "task_definition", "region")
    module = make(
        argument_spec={
            **{word: {"type": "str", "required": True} for word in words},
            "wait_timeout": {"type": "int", "default": 900},
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
            result = start(service, want, module.check_mode)
        else:
            result = {"changed": False, **observe(service, want["deployment"], OBSERVE_SECONDS)}
        if result["finished"] and not module.check_mode:
            service.ecs.deregister_task_definition(taskDefinition=want["instead_of"])
    except DeploymentFailed as failed:
        module.fail_json(msg=str(failed))
    except Exception as error:
        module.fail_json(msg=explain(error, f"Return of {want['service']}"))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
