#!/usr/bin/python
"""Ansible module: read what stacks put out, from their state objects."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils.aws import (
    client,
    error_code,
    explain,
    require_boto3,
)

DOCUMENTATION = r"""
module: stack_outputs
short_description: Read the outputs of stacks straight from their states in S3
description:
  - Reads O(stacks) and sets the fact C(stack_outputs), a dictionary of dictionaries, without
    starting Terraform. Outputs marked sensitive are left out.
options:
  environment: {description: Environment of the stacks., type: str, required: true}
  bucket: {description: Bucket of the states., type: str, required: true}
  region: {description: AWS region of the bucket., type: str, required: true}
  stacks:
    description: Stacks whose outputs are needed; one that is not provisioned is an error.
    type: list
    elements: str
    required: true
  optional:
    description: Take a stack that is not provisioned as one without outputs.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
author: [Drydock]
"""

EXAMPLES = r"""
- name: Read the outputs of foundation
  drydock.ops.stack_outputs:
    environment: dev
    bucket: drydock-dev-tfstate-111111111111
    region: us-east-1
    stacks: [foundation]
"""

RETURN = r"""
ansible_facts:
  description: The fact C(stack_outputs), by stack and output.
  type: dict
  returned: success
missing:
  description: Stacks that are not provisioned (only with O(optional)).
  type: list
  elements: str
  returned: success
"""


def state_key(environment: str, stack: str) -> str:
    """Return the key of a stack's state in the bucket, as the role terraform_stack sets it."""
    return f"{environment}/{stack}.tfstate"


def read_outputs(s3: Any, bucket: str, environment: str, stack: str) -> dict[str, Any] | None:
    """Return the outputs of a stack by name, or None where it has no state or no resource."""
    try:
        answer = s3.get_object(Bucket=bucket, Key=state_key(environment, stack))
    except Exception as error:
        if error_code(error) == "NoSuchKey":
            return None
        raise
    state = json.loads(answer["Body"].read())
    if not state.get("resources"):
        return None
    return {
        name: output["value"]
        for name, output in state.get("outputs", {}).items()
        if not output.get("sensitive")
    }


def main(make: Callable[..., Any] = AnsibleModule) -> None:
    module = make(
        argument_spec={
            "environment": {"type": "str", "required": True},
            "bucket": {"type": "str", "required": True},
            "region": {"type": "str", "required": True},
            "stacks": {"type": "list", "elements": "str", "required": True},
            "optional": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    require_boto3(module)
    want = module.params
    environment = want["environment"]
    try:
        s3 = client("s3", want["region"])
        found = {
            stack: read_outputs(s3, want["bucket"], environment, stack) for stack in want["stacks"]
        }
    except Exception as error:
        if error_code(error) == "NoSuchBucket":
            if not want["optional"]:
                module.fail_json(
                    msg=f"The state bucket {want['bucket']} of {environment} does not exist: "
                    "run playbooks/bootstrap.yml first."
                )
            found = dict.fromkeys(want["stacks"])
        else:
            module.fail_json(msg=explain(error, f"Outputs of {', '.join(want['stacks'])}"))
    missing = [stack for stack, outputs in found.items() if outputs is None]
    if missing and not want["optional"]:
        playbook = "bootstrap.yml" if missing == ["bootstrap"] else "provision.yml"
        limit = "" if missing == ["bootstrap"] else f" --limit {','.join(missing)}"
        module.fail_json(
            msg=f"{' and '.join(missing)} of {environment} "
            f"{'is' if len(missing) == 1 else 'are'} not provisioned yet: "
            f"run playbooks/{playbook}{limit} first."
        )
    module.exit_json(
        changed=False,
        missing=missing,
        ansible_facts={"stack_outputs": {k: v for k, v in found.items() if v is not None}},
    )


if __name__ == "__main__":
    main()
