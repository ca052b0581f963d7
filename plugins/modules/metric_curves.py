#!/usr/bin/python
"""Ansible module: read the curves of the metrics behind alarms into the evidence."""

from __future__ import annotations

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils import curves
from ansible_collections.drydock.ops.plugins.module_utils.aws import (
    client,
    explain,
    require_boto3,
)

DOCUMENTATION = r"""
module: metric_curves
short_description: Read the curves of the metrics behind alarms
description:
  - Which metrics those are is taken from the alarms themselves; of metric math also its inputs,
    of a composite alarm those of its parts. What can't be read is a warning, never a failure.
options:
  names: {description: Names or patterns of alarms., type: list, elements: str, required: true}
  start: {description: First moment in seconds since the epoch., type: float, required: true}
  period: {description: Seconds per point., type: int, required: true}
  region: {description: AWS region of the alarms., type: str, required: true}
attributes:
  check_mode:
    support: full
author: [Drydock]
"""

EXAMPLES = r"""
- name: Read the curves
  drydock.ops.metric_curves:
    names: [drydock-dev-hello-5xx]
    start: 1767323045
    period: 60
    region: us-east-1
"""

RETURN = r"""
runbook_evidence:
  description: C(metrics), one entry per curve with its points, for the evidence and the report.
  type: dict
  returned: success
"""


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "names": {"type": "list", "elements": "str", "required": True},
            "start": {"type": "float", "required": True},
            "period": {"type": "int", "required": True},
            "region": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    require_boto3(module)
    want = module.params
    found = []
    try:
        found = curves.read(
            client("cloudwatch", want["region"]),
            want["names"],
            want["start"],
            time.time(),
            want["period"],
        )
    except Exception as error:
        module.warn(explain(error, "Curves of the alarms' metrics, for the report"))
    module.exit_json(changed=False, runbook_evidence={"metrics": found})


if __name__ == "__main__":
    main()
