#!/usr/bin/python
"""Ansible module: a stack's folder with one block more, which moves or imports one object."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils import states
from ansible_collections.drydock.ops.plugins.module_utils.aws import (
    client,
    explain,
    require_boto3,
)

DOCUMENTATION = r"""
module: state_overlay
short_description: Lay out a stack with a block that moves or imports one object
description:
  - Refuses what can't be right (an address that is none, that the state lacks or already has),
    then lays out a folder of links to the stack's files, with one C(moved) or C(import) block
    more. A plan of that folder says all that would follow, and goes the way of any plan.
  - Nothing is written but that folder, in check mode too.
options:
  operation: {description: What the block does., type: str, choices: [move, import], required: true}
  address:
    description: What is moved, or the address that the import is to have.
    type: str
    required: true
  to: {description: The address to move to., type: str, default: ''}
  id: {description: What AWS calls the object that is imported., type: str, default: ''}
  stack: {description: Name of the stack., type: str, required: true}
  environment: {description: Name of the environment., type: str, required: true}
  project_path: {description: Folder of the stack's HCL., type: path, required: true}
  folder: {description: Folder to lay it out in., type: path, required: true}
  bucket: {description: Bucket of the state., type: str, required: true}
  key: {description: Key of the state in it., type: str, required: true}
  region: {description: AWS region of the bucket., type: str, required: true}
attributes:
  check_mode:
    support: full
author: [Drydock]
"""

EXAMPLES = r"""
- name: Lay out foundation with a subnet to import
  drydock.ops.state_overlay:
    operation: import
    address: module.network.aws_subnet.public["us-east-1a"]
    id: subnet-0123456789abcdef0
    stack: foundation
    environment: dev
    project_path: terraform/stacks/foundation
    folder: .drydock/terraform/dev/foundation/overlay
    bucket: drydock-dev-tfstate-111111111111
    key: dev/foundation.tfstate
    region: us-east-1
"""

RETURN = r"""
project_path: {description: Folder to plan and apply in., type: str, returned: success}
target: {description: The address that the object has afterwards., type: str, returned: success}
"""


class Refused(Exception):
    """What was asked for can't be right; the text is a sentence."""


def check(want: dict[str, Any], held: dict[str, Any]) -> None:
    """Raise Refused where the addresses or the ID can't be right. held: addresses of the state."""
    where = f"the state of {want['stack']} of {want['environment']}"
    address, to = want["address"], want["to"]
    given = [address] + ([to] if want["operation"] == "move" else [])
    for one in given:
        whole = states.MODULE.match(one) and want["operation"] == "move"
        if not states.ADDRESS.match(one) and not whole:
            raise Refused(
                f'"{one}" is no address of a resource: give one such as '
                'module.network.aws_subnet.public["us-east-1a"] (quote it for the shell).'
            )
    has = {one: any(name == one or name.startswith((f"{one}.", f"{one}[")) for name in held)
           for one in given}  # fmt: skip
    if want["operation"] == "import":
        if not want["id"]:
            raise Refused(
                f"An import of {address} needs the ID that AWS knows it by: give it with -e id=… "
                "(the provider's documentation of the resource says which, under Import)."
            )
        if has[address]:
            raise Refused(f"{address} is in {where} already: there is nothing to import.")
        return
    if not has[address]:
        raise Refused(f"{address} is not in {where}: see -e operation=list for what is.")
    if has[to]:
        raise Refused(f"{to} is in {where} already: nothing can be moved there.")


def block(want: dict[str, Any]) -> str:
    """Return the HCL that moves or imports."""
    if want["operation"] == "move":
        return f"moved {{\n  from = {want['address']}\n  to   = {want['to']}\n}}\n"
    # An ID is text, whatever is in it: no template of HCL's.
    quoted = json.dumps(want["id"]).replace("${", "$${").replace("%{", "%%{")
    return f"import {{\n  to = {want['address']}\n  id = {quoted}\n}}\n"


def lay_out(project: Path, folder: Path, text: str) -> Path:
    """Make a tree of links around a folder that is the stack and the block. Returns that folder.

    Whatever the stack reads relative to itself is where it is in the project.
    """
    root = project.resolve().parents[2]
    shutil.rmtree(folder, ignore_errors=True)
    stack = folder / "terraform/stacks" / project.name
    stack.mkdir(parents=True)
    for source, made, own in (
        (root, folder, "terraform"),
        (root / "terraform", folder / "terraform", "stacks"),
        (root / "terraform/stacks", folder / "terraform/stacks", project.name),
        (project, stack, ".terraform"),
    ):
        for entry in source.iterdir():
            hidden = entry.name.startswith(".") and entry.name != ".terraform.lock.hcl"
            if entry.name != own and not hidden:
                (made / entry.name).symlink_to(entry.resolve())
    (stack / "state_operation.tf").write_text(text)
    return stack


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "operation": {"type": "str", "choices": ["move", "import"], "required": True},
            "address": {"type": "str", "required": True},
            "to": {"type": "str", "default": ""},
            "id": {"type": "str", "default": ""},
            "stack": {"type": "str", "required": True},
            "environment": {"type": "str", "required": True},
            "project_path": {"type": "path", "required": True},
            "folder": {"type": "path", "required": True},
            "bucket": {"type": "str", "required": True},
            "key": {"type": "str", "required": True, "no_log": False},
            "region": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    require_boto3(module)
    want = module.params
    try:
        answer = client("s3", want["region"]).get_object(Bucket=want["bucket"], Key=want["key"])
        state = json.loads(answer["Body"].read())
        check(want, states.addresses(state))
    except Refused as refused:
        module.fail_json(msg=f"{refused} Nothing was changed.")
    except Exception as error:
        module.fail_json(msg=explain(error, f"State of {want['stack']}"))
    stack = lay_out(Path(want["project_path"]), Path(want["folder"]), block(want))
    version = answer.get("VersionId", "unknown")
    module.exit_json(
        changed=False,
        project_path=str(stack),
        target=want["to"] or want["address"],
        evidence=[f"state {want['key']} before: serial {state.get('serial')}, version {version}"],
    )


if __name__ == "__main__":
    main()
