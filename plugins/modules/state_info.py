#!/usr/bin/python
"""Ansible module: what a stack's state holds, without its secrets."""

from __future__ import annotations

import json
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils import states
from ansible_collections.drydock.ops.plugins.module_utils.aws import (
    client,
    error_code,
    explain,
    require_boto3,
)
from ansible_collections.drydock.ops.plugins.module_utils.redaction import redact
from ansible_collections.drydock.ops.plugins.module_utils.stack_folder import (
    ARGUMENTS,
    StackFolder,
    TerraformError,
)

DOCUMENTATION = r"""
module: state_info
short_description: List what a stack's state holds, or show one resource of it
description:
  - Without O(address) lists the addresses, read from the bucket without starting Terraform.
  - With O(address) shows that resource's attributes. What the provider or the configuration marks
    as sensitive is masked, and what has the name of a secret. Takes no lock, changes nothing.
options:
  stack: {description: Name of the stack., type: str, required: true}
  environment: {description: Name of the environment., type: str, required: true}
  project_path: {description: Folder of the stack's HCL., type: path, required: true}
  data_dir: {description: TF_DATA_DIR of this stack and environment., type: path, required: true}
  cli_config:
    description: Terraform CLI configuration; used if it exists.
    type: path
    default: ''
  backend_config: {description: Settings of the backend., type: dict, required: true}
  address: {description: Address of the resource to show., type: str, default: ''}
attributes:
  check_mode:
    support: full
author: [Drydock]
"""

EXAMPLES = r"""
- name: Show the VPC
  drydock.ops.state_info:
    stack: foundation
    environment: dev
    project_path: terraform/stacks/foundation
    data_dir: .drydock/terraform/dev/foundation
    backend_config: "{{ state_backend }}"
    address: module.network.aws_vpc.this
"""

RETURN = r"""
lines: {description: What was asked for., type: list, elements: str, returned: success}
serial: {description: Serial of the state., type: int, returned: success}
"""


def read_state(s3: Any, bucket: str, key: str) -> dict[str, Any]:
    """Return the state as it lies in the bucket; one that holds nothing where there is none."""
    try:
        return json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    except Exception as error:
        if error_code(error) in ("NoSuchKey", "NoSuchBucket"):
            return {}
        raise


def main() -> None:
    module = AnsibleModule(
        argument_spec={**ARGUMENTS, "address": {"type": "str", "default": ""}},
        supports_check_mode=True,
    )
    require_boto3(module)
    want = module.params
    where = f"{want['stack']} of {want['environment']}"
    backend, address = want["backend_config"], want["address"]
    try:
        state = read_state(client("s3", backend["region"]), backend["bucket"], backend["key"])
        held = states.addresses(state)
        if address and address not in held:
            near = [one for one in held if address.rpartition(".")[2] in one][:5]
            module.fail_json(
                msg=f"{address} is not in the state of {where}"
                + (f"; near it: {', '.join(near)}." if near else ".")
                + " Give an address as `-e operation=list` shows it."
            )
        if not address:
            lines = [f"{name}  {one['id']}".rstrip() for name, one in sorted(held.items())]
        else:
            folder = StackFolder(want, module.get_bin_path("terraform", required=True))
            found = states.find(folder.state(), address) or {}
            lines = [
                redact(line)
                for line in states.attributes(
                    found.get("values", {}), found.get("sensitive_values", {})
                )
            ]
    except TerraformError as error:
        module.fail_json(msg=str(error))
    except Exception as error:
        module.fail_json(msg=explain(error, f"State of {where}"))
    module.exit_json(changed=False, lines=lines, serial=int(state.get("serial", 0)))


if __name__ == "__main__":
    main()
