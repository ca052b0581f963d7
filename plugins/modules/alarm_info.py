#!/usr/bin/python
"""Ansible module: in what state alarms are, since when, and why."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils.alarms import describe, summary
from ansible_collections.drydock.ops.plugins.module_utils.aws import (
    client,
    explain,
    require_boto3,
)
from ansible_collections.drydock.ops.plugins.module_utils.runs import moment

DOCUMENTATION = r"""
module: alarm_info
short_description: Tell the state of CloudWatch alarms
description:
  - Reads metric alarms and composite alarms. Changes nothing.
options:
  names:
    description: Names of alarms; C(*) and C(?) stand for other letters.
    type: list
    elements: str
    required: true
  region: {description: AWS region of the alarms., type: str, required: true}
attributes:
  check_mode:
    support: full
author: [Drydock]
"""

EXAMPLES = r"""
- name: Read the alarms of a workload
  drydock.ops.alarm_info:
    names: [drydock-dev-hello-*]
    region: us-east-1
  register: alarms
"""

RETURN = r"""
at: {description: When they were read (ISO 8601 in UTC)., type: str, returned: success}
account: {description: Account that they are in., type: str, returned: success}
caller: {description: ARN of who read them., type: str, returned: success}
alarms:
  description: Alarms by name, with state, since (ISO 8601, UTC), reason and description.
  type: list
  elements: dict
  returned: success
red:
  description: Names of those in ALARM.
  type: list
  elements: str
  returned: success
without_data:
  description: Names of those in INSUFFICIENT_DATA, which is not green.
  type: list
  elements: str
  returned: success
missing:
  description: Names and patterns of which there is no alarm.
  type: list
  elements: str
  returned: success
"""


def main(make: Callable[..., Any] = AnsibleModule) -> None:
    module = make(
        argument_spec={
            "names": {"type": "list", "elements": "str", "required": True},
            "region": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    require_boto3(module)
    names = module.params["names"]
    region = module.params["region"]
    try:
        found = describe(client("cloudwatch", region), names)
        caller = client("sts", region).get_caller_identity()
    except Exception as error:
        module.fail_json(msg=explain(error, "State of the alarms"))
    alarms = [summary(alarm) for alarm in found]
    module.exit_json(
        changed=False,
        at=moment(),
        account=caller["Account"],
        caller=caller["Arn"],
        alarms=alarms,
        red=[one["name"] for one in alarms if one["state"] == "ALARM"],
        without_data=[one["name"] for one in alarms if one["state"] == "INSUFFICIENT_DATA"],
        missing=[
            name
            for name in names
            if not any(fnmatch.fnmatchcase(one["name"], name) for one in alarms)
        ],
    )


if __name__ == "__main__":
    main()
