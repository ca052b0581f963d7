#!/usr/bin/python
"""Ansible module: what it saves that an environment sleeps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils import power, power_saving, prices
from ansible_collections.drydock.ops.plugins.module_utils.aws import (
    client,
    explain,
    require_boto3,
)
from ansible_collections.drydock.ops.plugins.module_utils.power import Refused
from ansible_collections.drydock.ops.plugins.module_utils.power_steps import Night, fleets
from ansible_collections.drydock.ops.plugins.modules.cost_report import from_states

DOCUMENTATION = r"""
module: sleep_saving
short_description: Say what a night's sleep of an environment saves
description:
  - Prices the states of the stacks with the tables in O(tables), and says what of that ends while
    the environment sleeps, an hour, a night and a month by the schedules in O(jobs), and what
    costs on.
  - A fleet counts with the size that it had, or has. Changes nothing.
options:
  environment: {description: Environment., type: str, required: true}
  tables: {description: 'Folder of prices.yml, usage.yml and free.yml.', type: path, required: true}
  jobs: {description: jobs/playbooks.yml with the times., type: path, required: true}
  stacks: {description: Stacks to look at., type: list, elements: str, required: true}
  tasks: {description: ECS service → its least number of tasks., type: dict, default: {}}
  awake:
    description: Services, fleets and databases that stay up.
    type: list
    elements: str
    default: []
  network: {description: Whether the NAT gateways go., type: bool, default: true}
  bucket: {description: Bucket of the states., type: str, required: true}
  region: {description: AWS region., type: str, required: true}
attributes:
  check_mode: {support: full}
author: [Drydock]
"""

EXAMPLES = r"""
- name: Say what it saves
  drydock.ops.sleep_saving:
    environment: dev
    tables: costs
    jobs: jobs/playbooks.yml
    stacks: [foundation, platform, data]
    bucket: drydock-dev-tfstate-111111111111
    region: us-east-1
"""

RETURN = r"""
hourly: {description: US dollars saved an hour., type: float, returned: success}
lines: {description: The saving in sentences., type: list, elements: str, returned: success}
"""


def nodes(region: str, environment: str) -> int | None:
    """Return the nodes of the fleet awake: by its note, or those that it wants now."""
    now = datetime.now(UTC)
    night = Night(
        {"autoscaling": client("autoscaling", region)}, environment, now, now, write=False
    )
    sizes = [
        power.read_fleet_note(tags[power.TAG])[2] if power.TAG in tags else group["DesiredCapacity"]
        for group, tags in fleets(night)
    ]
    return max(sizes, default=None)


def with_gateways(part: list[prices.Resource]) -> list[prices.Resource]:
    """Return a stack as it is awake: asleep there are only the addresses of its NAT gateways."""
    kind = "aws_nat_gateway"
    if any(one.type == kind for one in part):
        return part
    return part + [
        prices.Resource(
            one.address.replace("aws_eip.nat", f"{kind}.this"), kind, one.stack, one.values
        )
        for one in part
        if ".aws_eip.nat" in one.address
    ]


def saving(want: dict[str, Any]) -> dict[str, Any]:
    """Return the module's result. Raises Refused, PriceError, botocore's errors."""
    region, environment = want["region"], want["environment"]
    table = prices.load(Path(want["tables"]), environment, want["tasks"])
    parts, _ = from_states(client("s3", region), want["bucket"], environment, want["stacks"])
    count = nodes(region, environment)
    saved, costs = 0.0, []
    for part in parts.values():
        sized = with_gateways(part)
        sized = sized if count is None else prices.with_nodes(sized, count)
        one, cost = power_saving.split(sized, table, want["awake"], want["network"])
        saved += one
        costs.append(cost)
    when = power_saving.times(Path(want["jobs"]), datetime.now(UTC))
    lines = power_saving.lines(environment, saved, costs, when)
    return {
        "changed": False,
        "hourly": round(saved / power_saving.HOURS, 4),
        "lines": lines,
        "evidence": lines,
    }


def main(make: Callable[..., Any] = AnsibleModule) -> None:
    module = make(
        argument_spec={
            "environment": {"type": "str", "required": True},
            "tables": {"type": "path", "required": True},
            "jobs": {"type": "path", "required": True},
            "stacks": {"type": "list", "elements": "str", "required": True},
            "tasks": {"type": "dict", "default": {}},
            "awake": {"type": "list", "elements": "str", "default": []},
            "network": {"type": "bool", "default": True},
            "bucket": {"type": "str", "required": True},
            "region": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    require_boto3(module)
    try:
        result = saving(module.params)
    except (Refused, prices.PriceError) as error:
        module.fail_json(msg=str(error))
    except Exception as error:
        module.fail_json(msg=explain(error, f"What sleep of {module.params['environment']} saves"))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
