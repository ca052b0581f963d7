#!/usr/bin/python
"""Ansible module: have an Auto Scaling group run more instances."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils.aws import (
    client,
    explain,
    require_boto3,
)
from ansible_collections.drydock.ops.plugins.module_utils.journal import Journal, JournalRefused
from ansible_collections.drydock.ops.plugins.module_utils.runs import Run, moment

DOCUMENTATION = r"""
module: fleet_size
short_description: Have an Auto Scaling group run more instances
description:
  - Raises the number of instances that the group wants, within its limits; never lowers it.
    Does not wait for the instances, which may take hours until they serve.
  - The call that puts the number back is in the runbook's journal before the change.
options:
  group: {description: Name of the Auto Scaling group., type: str, required: true}
  desired: {description: Instances to run., type: int, required: true}
  environment: {description: Environment whose journal is kept., type: str, required: true}
  lock_table: {description: DynamoDB table of locks and journal., type: str, required: true}
  region: {description: AWS region., type: str, required: true}
attributes:
  check_mode: {support: full, details: Shows the number; journals and changes nothing.}
  diff_mode: {support: full}
author: [Drydock]
"""

EXAMPLES = r"""
- name: Have another node
  drydock.ops.fleet_size:
    group: drydock-dev-solana
    desired: 4
    environment: dev
    lock_table: drydock-dev-tflock
    region: us-east-1
"""

RETURN = r"""
desired: {description: Instances that the group wants now., type: int, returned: success}
"""


class Refused(Exception):
    """The group can't have that many; the message says why and what to do."""


def grow(want: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Return the module's result. Raises Refused, JournalRefused, botocore's errors."""
    scaling = client("autoscaling", want["region"])
    name, desired = want["group"], want["desired"]
    found = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    if not found:
        raise Refused(
            f"There is no Auto Scaling group {name}: run playbooks/provision.yml --limit solana."
        )
    now, most = found[0]["DesiredCapacity"], found[0]["MaxSize"]
    if desired > most:
        raise Refused(
            f"{name} may have {most} instances, not {desired}: raise solana_fleet.max_size in the "
            "inventory and run playbooks/provision.yml --limit solana."
        )
    changed = desired > now
    result = {
        "changed": changed,
        "desired": max(desired, now),
        "diff": {
            "before": f"{name}: {now} nodes\n",
            "after": f"{name}: {max(desired, now)} nodes\n",
        },
    }
    if check_mode or not changed:
        return result
    what = f"{name}: {desired} nodes instead of {now}"
    journal = Journal(
        client("dynamodb", want["region"]), want["lock_table"], want["environment"], Run.current()
    )
    call = {"AutoScalingGroupName": name, "HonorCooldown": False}
    back = {
        "service": "autoscaling",
        "operation": "SetDesiredCapacity",
        "parameters": {**call, "DesiredCapacity": now},
        "region": want["region"],
    }
    journal.begin(what, [back])
    scaling.set_desired_capacity(**call, DesiredCapacity=desired)
    journal.done(what)
    return {
        **result,
        "runbook_evidence": {"actions": [{"at": moment(), "what": what, "target": name}]},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "group": {"type": "str", "required": True},
            "desired": {"type": "int", "required": True},
            "environment": {"type": "str", "required": True},
            "lock_table": {"type": "str", "required": True},
            "region": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    require_boto3(module)
    try:
        result = grow(module.params, module.check_mode)
    except (Refused, JournalRefused) as error:
        module.fail_json(msg=str(error))
    except Exception as error:
        module.fail_json(msg=explain(error, f"Size of {module.params['group']}"))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
