#!/usr/bin/python
"""Ansible module: find the release that a service is to return to."""

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
from ansible_collections.drydock.ops.plugins.module_utils.ecs import DeploymentFailed
from ansible_collections.drydock.ops.plugins.module_utils.rollback import NoTarget, choose
from ansible_collections.drydock.ops.plugins.module_utils.runs import moment
from ansible_collections.drydock.ops.plugins.module_utils.service_facts import (
    ARGUMENTS,
    ServiceFacts,
)

DOCUMENTATION = r"""
module: rollback_target
short_description: Find the release that an ECS service is to return to
description:
  - Reads the service's deployments with how each of them served. Changes nothing.
  - Without O(to) it is the newest complete one of another revision that has its image and its task
    definition still and did not serve with errors.
options:
  to: {description: "A revision, such as C(hello:7) or C(7).", type: str, default: ""}
  workload: {description: Name of the workload., type: str, required: true}
  command: {description: How a runbook is started., type: str, required: true}
  cluster: {description: Name of the ECS cluster., type: str, required: true}
  service: {description: Name of the ECS service., type: str, required: true}
  target_group_arn: {description: Its target group; none without clients., type: str, default: ""}
  target_group_suffix: {description: The group as its metrics name it., type: str, default: ""}
  alternate_target_group_arn: {description: Its other group., type: str, default: ""}
  alternate_target_group_suffix: {description: That as metrics name it., type: str, default: ""}
  load_balancer: {description: The balancer as its metrics name it., type: str, required: true}
  repository_url: {description: Repository of its images., type: str, required: true}
  repository_name: {description: Name of that repository., type: str, required: true}
  database: {description: Not used here., type: dict, default: {}}
  period: {description: Seconds of a period of the metrics., type: int, required: true}
  region: {description: AWS region., type: str, required: true}
attributes:
  check_mode: {support: full}
author: [Drydock]
"""

EXAMPLES = r"""
- name: Find the release to return to
  drydock.ops.rollback_target: "{{ ecs_service | combine(ecs_service_facts, {'to': '7'}) }}"
"""

RETURN = r"""
current: {description: The revision that runs., type: str, returned: success}
definition: {description: The revision to return to., type: str, returned: success}
maximum: {description: The most tasks that the workload may have., type: int, returned: success}
sentence: {description: What would be done and why that one., type: str, returned: success}
"""


def main(make: Callable[..., Any] = AnsibleModule) -> None:
    module = make(
        argument_spec={
            **ARGUMENTS,
            "to": {"type": "str", "default": ""},
            "period": {"type": "int", "required": True},
        },
        supports_check_mode=True,
    )
    require_boto3(module)
    want = module.params
    try:
        facts = ServiceFacts(lambda name: client(name, want["region"]), want, time.time())
        seen = facts.observe()
        target = choose(seen.releases, seen.current, want["to"])
    except (NoTarget, DeploymentFailed) as refused:
        module.fail_json(msg=f"{want['workload']}: {refused} Nothing was changed.")
    except Exception as error:
        module.fail_json(msg=explain(error, f"Releases of {want['service']}"))
    served = "how well it served is not measured any more"
    if target.share is not None:
        served = f"it served with {target.share:g} % errors"
    module.exit_json(
        changed=False,
        current=seen.current,
        definition=target.definition,
        maximum=seen.maximum,
        sentence=f"{want['workload']}: {target.definition} instead of {seen.current}, its "
        f"configuration included; released {moment(target.started)}, {served}",
    )


if __name__ == "__main__":
    main()
