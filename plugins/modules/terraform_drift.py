#!/usr/bin/python
"""Ansible module: how a stack's real objects differ from its state and its configuration."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils.plans import summarise
from ansible_collections.drydock.ops.plugins.module_utils.stack_folder import (
    ARGUMENTS,
    StackFolder,
    TerraformError,
)

DOCUMENTATION = r"""
module: terraform_drift
short_description: Say what was changed past Terraform, and what an apply would do
description:
  - Plans without the state's lock and keeps nothing. Returns what differs between the state and
    the real objects (drift), and what an apply would change (pending), with sensitive values
    masked.
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
  variables: {description: Values of the stack's variables., type: dict, default: {}}
attributes:
  check_mode:
    support: full
author: [Drydock]
"""

EXAMPLES = r"""
- name: Look for drift of foundation
  drydock.ops.terraform_drift:
    stack: foundation
    environment: dev
    project_path: terraform/stacks/foundation
    data_dir: .drydock/terraform/dev/foundation
    backend_config: "{{ state_backend }}"
    variables: "{{ stack_common_variables | combine(stack_variables) }}"
"""

RETURN = r"""
stack: {description: The stack., type: str, returned: success}
drift:
  description: What was changed past Terraform, and an apply would change back.
  type: list
  elements: str
  returned: success
noted:
  description:
    - What differs from the state and an apply leaves as it is. Mostly what a provider could not
      know at the apply and notes at the next look, such as the rules of a bucket that are resources
      of their own; a change by hand of what the configuration leaves open looks the same, so it is
      shown, apart. Terraform's own plan leaves it out for the same reason.
  type: list
  elements: str
  returned: success
gone: {description: What was deleted past Terraform., type: list, elements: str, returned: success}
pending: {description: What an apply would do., type: list, elements: str, returned: success}
sentence: {description: What an apply would do, in a sentence., type: str, returned: success}
"""


def judge(plan: dict[str, Any]) -> dict[str, Any]:
    """Return {drift, noted, gone, pending, sentence} of a plan's JSON."""
    drifted = plan.get("resource_drift", [])
    gone = [one["address"] for one in drifted if one["change"]["actions"] == ["delete"]]
    changed = [one for one in drifted if one["change"]["actions"] != ["delete"]]
    acted_on = {
        one["address"]
        for one in plan.get("resource_changes", [])
        if one["change"]["actions"] != ["no-op"]
    }
    drift = [one for one in changed if one["address"] in acted_on]
    noted = [one for one in changed if one["address"] not in acted_on]
    pending = summarise(plan)
    return {
        "drift": summarise({"resource_changes": drift})["lines"],
        "noted": summarise({"resource_changes": noted})["lines"],
        "gone": gone,
        "pending": pending["lines"],
        "sentence": pending["sentence"] if pending["lines"] else "nothing to change",
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={**ARGUMENTS, "variables": {"type": "dict", "default": {}}},
        supports_check_mode=True,
    )
    want = module.params
    # At -vvv Ansible prints a module's arguments: the values may be secret, their names are not.
    invocation = {"module_args": {**want, "variables": sorted(want["variables"])}}
    try:
        folder = StackFolder(want, module.get_bin_path("terraform", required=True))
        found = judge(folder.plan(want["variables"]))
    except TerraformError as error:
        module.fail_json(msg=str(error), stack=want["stack"], invocation=invocation)
    said = f"{want['stack']}: {len(found['gone'])} gone, {len(found['drift'])} lines of drift, "
    module.exit_json(
        changed=False,
        stack=want["stack"],
        evidence=[f"{said}{found['sentence']}"] if any(found[k] for k in RESULTS) else [],
        invocation=invocation,
        **found,
    )


RESULTS = ("drift", "gone", "pending")

if __name__ == "__main__":
    main()
