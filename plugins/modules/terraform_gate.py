#!/usr/bin/python
"""Ansible module: the last look before an apply, at a plan that passed the gate."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils import gate, gate_seal
from ansible_collections.drydock.ops.plugins.module_utils.aws import (
    client,
    error_code,
    explain,
    require_boto3,
)
from ansible_collections.drydock.ops.plugins.module_utils.runs import Run

DOCUMENTATION = r"""
module: terraform_gate
short_description: Refuse to apply a plan that is not the one that was judged, here and now
description:
  - M(drydock.ops.terraform_plan) judges a plan and seals it. This looks again right before the
    apply, and fails with a sentence unless the file is the very one that was judged (SHA-256),
    for this stack, environment and account, with credentials of that account, made from the
    state as it still is (place, lineage and serial), and no older than O(max_age).
  - What the plan takes away is counted against O(allow_destroy), a budget that all stacks of one
    run of ansible-playbook share. Raising it takes a reason, which goes into the evidence.
options:
  plan_file: {description: The plan., type: path, required: true}
  seal: {description: What terraform_plan returned as RV(ignore:seal)., type: dict, required: true}
  stack: {description: Name of the stack., type: str, required: true}
  environment: {description: Name of the environment., type: str, required: true}
  account_id: {description: Account of the environment., type: str, required: true}
  region: {description: AWS region of the environment., type: str, required: true}
  backend_config: {description: Settings of the backend., type: dict, required: true}
  work_dir: {description: Folder of the environment's working folders., type: path, required: true}
  max_age: {description: Minutes that a plan may be old., type: int, default: 120}
  allow_destroy:
    description: How many resources with data this run may take away, a number or V(all).
    type: str
    default: '0'
  allow_destroy_reason: {description: Why, and who agreed., type: str, default: ''}
attributes:
  check_mode:
    support: full
    details: It changes nothing but its own account of the budget, and not even that.
author: [Drydock]
"""

EXAMPLES = r"""
- name: Look again
  drydock.ops.terraform_gate:
    plan_file: "{{ plan.plan_file }}"
    seal: "{{ plan.seal }}"
    stack: foundation
    environment: dev
    account_id: "111111111111"
    region: us-east-1
    backend_config: {bucket: drydock-dev-tfstate-111111111111, key: dev/foundation.tfstate}
    work_dir: .drydock/terraform/dev
"""

RETURN = r"""
evidence:
  description: What was allowed to be taken away, and why.
  type: list
  elements: str
  returned: success
"""


def state_now(backend_config: dict[str, Any], region: str) -> dict[str, Any] | None:
    """Return the state that a backend holds, None where there is none."""
    if "bucket" not in backend_config:
        path = Path(backend_config.get("path", ""))
        return json.loads(path.read_text()) if path.is_file() and path.stat().st_size else None
    try:
        answer = client("s3", backend_config.get("region", region)).get_object(
            Bucket=backend_config["bucket"], Key=backend_config["key"]
        )
    except Exception as error:
        if error_code(error) == "NoSuchKey":
            return None
        raise
    return json.loads(answer["Body"].read())


def main(make: Callable[..., Any] = AnsibleModule) -> None:
    module = make(
        argument_spec={
            "plan_file": {"type": "path", "required": True},
            "seal": {"type": "dict", "required": True},
            "stack": {"type": "str", "required": True},
            "environment": {"type": "str", "required": True},
            "account_id": {"type": "str", "required": True},
            "region": {"type": "str", "required": True},
            "backend_config": {"type": "dict", "required": True},
            "work_dir": {"type": "path", "required": True},
            "max_age": {"type": "int", "default": gate_seal.MAX_AGE},
            "allow_destroy": {"type": "str", "default": "0"},
            "allow_destroy_reason": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    require_boto3(module)
    want = module.params
    where = f"Stack {want['stack']} of {want['environment']} was not applied"
    try:
        caller = client("sts", want["region"]).get_caller_identity()["Account"]
        state = state_now(want["backend_config"], want["region"])
    except Exception as error:
        module.fail_json(msg=f"{where}. {explain(error, 'The last look before the apply')}")
    refusals = gate_seal.broken(
        want["seal"],
        want["plan_file"],
        stack=want["stack"],
        environment=want["environment"],
        account_id=want["account_id"],
        caller_account=caller,
        backend_config=want["backend_config"],
        state=state,
        max_age=want["max_age"],
        now=datetime.now(UTC),
    )
    losses = [gate.Loss(**one) for one in want["seal"].get("losses", [])]
    budget, reason = want["allow_destroy"].strip(), want["allow_destroy_reason"].strip()
    refusals += gate.Judgement(losses=losses).refusals(budget, reason)
    if not refusals and not module.check_mode:
        run = Run.current()
        spent = gate_seal.spend(
            want["work_dir"], f"{run.boot} {run.pid} {run.started}", want["stack"],
            len(losses), budget,
        )  # fmt: skip
        refusals += [spent] if spent else []
    if refusals:
        module.fail_json(msg=f"{where}. {' '.join(refusals)}", refusals=refusals)
    evidence = []
    if losses:
        evidence.append(f"{want['stack']}: allowed to take away {len(losses)}, because {reason}")
        evidence += [f"{loss.address}: {loss.what}" for loss in losses]
    module.exit_json(changed=False, evidence=evidence)


if __name__ == "__main__":
    main()
