#!/usr/bin/python
"""Ansible module: the fewest tasks that autoscaling leaves a released service."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils.aws import (
    client,
    explain,
    require_boto3,
)
from ansible_collections.drydock.ops.plugins.module_utils.ecs import scalable_target

DOCUMENTATION = r"""
module: scaling_floor
short_description: Set the fewest tasks that autoscaling leaves a service
description:
  - Application Auto Scaling starts tasks as soon as a service has fewer than its floor, and before
    the first release there is no image to start. So Terraform registers a service without tasks
    with a floor of none; the release raises it, here.
options:
  cluster: {description: Name of the ECS cluster., type: str, required: true}
  service: {description: Name of the ECS service., type: str, required: true}
  min_count: {description: The fewest tasks., type: int, required: true}
  region: {description: AWS region., type: str, required: true}
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
author: [Drydock]
"""

EXAMPLES = r"""
- name: Keep two tasks
  drydock.ops.scaling_floor: {cluster: drydock-dev, service: hello, min_count: 2, region: us-east-1}
"""

RETURN = r"""
min_count: {description: The floor that is now set., type: int, returned: success}
"""


class Unscalable(Exception):
    """The service has no floor that could be set; the message says why and what to do."""


def raise_floor(scaling: Any, want: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Register the floor where it is another. Returns the module's result; raises Unscalable."""
    target, found = scalable_target(scaling, want["cluster"], want["service"])
    if not found:
        raise Unscalable(
            f"{want['service']} is not registered for autoscaling: "
            "run playbooks/provision.yml --limit platform first."
        )
    floor, most = found["MinCapacity"], found["MaxCapacity"]
    if want["min_count"] > most:
        raise Unscalable(
            f"min_count of {want['service']} is {want['min_count']}, above the most that "
            f"autoscaling may start here ({most}): if the inventory's max_count is higher, run "
            "playbooks/provision.yml --limit platform first; else lower min_count."
        )
    changed = floor != want["min_count"]
    if changed and not check_mode:
        # What is not given, the upper limit and the suspended state, stays.
        scaling.register_scalable_target(**target, MinCapacity=want["min_count"])
    return {
        "changed": changed,
        "min_count": want["min_count"],
        "diff": {"before": {"min_count": floor}, "after": {"min_count": want["min_count"]}},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "cluster": {"type": "str", "required": True},
            "service": {"type": "str", "required": True},
            "min_count": {"type": "int", "required": True},
            "region": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    require_boto3(module)
    want = module.params
    try:
        scaling = client("application-autoscaling", want["region"])
        result = raise_floor(scaling, want, module.check_mode)
    except Unscalable as failed:
        module.fail_json(msg=str(failed))
    except Exception as error:
        module.fail_json(msg=explain(error, f"Limits of {want['service']}"))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
