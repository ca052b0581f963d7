#!/usr/bin/python
"""Ansible module: plan a whole environment from nothing, as one, without applying any of it."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils.stack_folder import (
    StackFolder,
    TerraformError,
)

DOCUMENTATION = r"""
module: estate_plan
short_description: Plan all stacks of an environment from nothing, in one plan
description:
  - Makes a root module in O(folder) that calls each stack as a module and hands one stack's outputs
    to the next by reference, plans it without a state, and keeps the plan's JSON in O(folder).
  - Reads from AWS what the stacks' data sources ask for, and changes nothing there.
options:
  environment: {description: 'Name of the environment, for messages.', type: str, required: true}
  stacks_path: {description: Folder of the stacks., type: path, required: true}
  stacks:
    description:
      - Stack → values of its variables; C(${module.STACK.OUTPUT}) is another stack's output.
    type: dict
    required: true
  folder: {description: Where to work; its plan is replaced., type: path, required: true}
  cli_config: {description: 'Terraform CLI configuration, if it exists.', type: path, default: ''}
attributes:
  check_mode:
    support: full
    details: The same, since nothing but O(folder) is ever written.
author: [Drydock]
"""

EXAMPLES = r"""
- name: Plan dev from nothing
  drydock.ops.estate_plan:
    environment: dev
    stacks_path: terraform/stacks
    stacks:
      foundation: {vpc_cidr: 10.20.0.0/16}
      data: {vpc_id: "${module.foundation.vpc_id}"}
    folder: .drydock/terraform/dev/estate
"""

RETURN = r"""
plan: {description: File of the plan's JSON., type: str, returned: success}
resources: {description: How many resources it would make., type: int, returned: success}
"""

# A reference to another stack; everything else that looks like a template is text.
_TEMPLATE = re.compile(r"\$\{(?!module\.\w+\.\w+(?:\.\w+)*\})|%\{")


def literal(value: Any) -> Any:
    """Return a value as .tf.json takes it: only references to other stacks are evaluated."""
    if isinstance(value, str):
        return _TEMPLATE.sub(lambda found: found[0][0] + found[0], value)
    if isinstance(value, dict):
        return {str(key): literal(one) for key, one in value.items()}
    if isinstance(value, list):
        return [literal(one) for one in value]
    return value


def root(stacks: dict[str, dict[str, Any]], stacks_path: Path, folder: Path) -> dict[str, Any]:
    """Return the root module. Sources are relative: Terraform would copy an absolute one."""
    away = os.path.relpath(stacks_path.resolve(), folder.resolve())
    return {
        "module": {
            stack: {"source": f"{away}/{stack}", **literal(values)}
            for stack, values in stacks.items()
        }
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "environment": {"type": "str", "required": True},
            "stacks_path": {"type": "path", "required": True},
            "stacks": {"type": "dict", "required": True},
            "folder": {"type": "path", "required": True},
            "cli_config": {"type": "path", "default": ""},
        },
        supports_check_mode=True,
    )
    want = module.params
    folder, stacks_path = Path(want["folder"]), Path(want["stacks_path"])
    os.umask(0o077)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(root(want["stacks"], stacks_path, folder), indent=2)
    (folder / "main.tf.json").write_text(text)
    # All stacks pin the same providers.
    first = next(iter(want["stacks"]))
    shutil.copy(stacks_path / first / ".terraform.lock.hcl", folder / ".terraform.lock.hcl")
    terraform = StackFolder(
        {
            "stack": "all",
            "environment": want["environment"],
            "project_path": str(folder),
            "data_dir": str(folder / "data"),
            "cli_config": want["cli_config"],
            "backend_config": {},
        },
        module.get_bin_path("terraform", required=True),
    )
    # A stack may have got a module since.
    (folder / "data/initialised").unlink(missing_ok=True)
    try:
        plan = terraform.plan({})
    except TerraformError as error:
        module.fail_json(msg=str(error))
    file = folder / "plan.json"
    file.write_text(json.dumps(plan))
    count = sum(one["mode"] == "managed" for one in plan.get("resource_changes", []))
    module.exit_json(changed=False, plan=str(file), resources=count)


if __name__ == "__main__":
    main()
