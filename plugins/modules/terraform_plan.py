#!/usr/bin/python
"""Ansible module: plan a stack to a file and say what would change, without its secrets."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils import (
    approval,
    gate,
    gate_seal,
    prices,
    terraform,
)
from ansible_collections.drydock.ops.plugins.module_utils.plans import summarise

DOCUMENTATION = r"""
module: terraform_plan
short_description: Plan a stack to a file and say what would change
description:
  - Writes O(variables) to a private file that is gone when the module ends, initialises the
    working folder where it has to be, and plans to a file that only its owner may read.
  - Says what would change, read from the plan's JSON, with sensitive values masked. The values
    of O(variables) do not appear in the module's result either.
  - Judges the plan's JSON by the gate (policies/, losses against O(allow_destroy), whose plan it
    is). What is refused is returned as RV(refusals) and its plan file is not kept; what passes
    is sealed for M(drydock.ops.terraform_gate).
  - Where nothing changes, or in check mode, no plan file is kept.
  - What M(community.general.terraform) cannot do and this closes - a plan counts as changed in
    check mode, plans to destroy, replacements in both orders, masked values, one start of
    Terraform where nothing changes.
options:
  stack: {description: Name of the stack, for messages., type: str, required: true}
  environment: {description: Name of the environment, for messages., type: str, required: true}
  project_path: {description: Folder of the stack's HCL., type: path, required: true}
  data_dir: {description: TF_DATA_DIR of this stack and environment., type: path, required: true}
  cli_config:
    description: Terraform CLI configuration; used if it exists.
    type: path
    default: ''
  backend_config: {description: Settings of the backend., type: dict, required: true}
  variables: {description: Values of the stack's variables., type: dict, default: {}}
  destroy: {description: Plan to destroy all., type: bool, default: false}
  keep: {description: Keep the plan file (never in check mode)., type: bool, default: true}
  account_id: {description: Account of the environment., type: str, required: true}
  protected:
    description: Whether the inventory protects the environment against destruction.
    type: bool
    default: false
  allow_http:
    description: Whether the inventory allows plain HTTP at the load balancer.
    type: bool
    default: false
  open_groups:
    description: IDs of security groups of other stacks that the internet reaches.
    type: list
    elements: str
    default: []
  allow_destroy:
    description: How many resources with data may be taken away, a number or V(all).
    type: str
    default: '0'
  allow_destroy_reason: {description: Why, and who agreed., type: str, default: ''}
  costs:
    description: Folder of the price tables; where it is given the change of costs is returned.
    type: path
    default: ''
attributes:
  check_mode:
    support: full
    details: Plans without taking the state's lock, so that nothing is written anywhere.
  diff_mode:
    support: full
author: [Drydock]
"""

EXAMPLES = r"""
- name: Plan foundation
  drydock.ops.terraform_plan:
    stack: foundation
    environment: dev
    project_path: terraform/stacks/foundation
    data_dir: .drydock/terraform/dev/foundation
    account_id: "111111111111"
    backend_config: {bucket: drydock-dev-tfstate-111111111111, key: dev/foundation.tfstate}
    variables: {vpc_cidr: 10.20.0.0/16}
"""

RETURN = r"""
has_changes:
  description: Whether there is anything to apply.
  type: bool
  returned: success
plan_file:
  description: The plan, mode 0600; empty where none was kept.
  type: str
  returned: success
planned_at:
  description: When the plan was made in UTC (ISO 8601); what it locks is locked after that.
  type: str
  returned: always
locked:
  description: Whether there is no plan because another holds the lock of the state.
  type: bool
  returned: failure
cli_config:
  description: The Terraform CLI configuration that was used; empty for none.
  type: str
  returned: success
counts:
  description: How many resources are added, changed, destroyed, replaced, imported, moved.
  type: dict
  returned: success
sentence:
  description: The counts in words.
  type: str
  returned: success
changes:
  description:
    - SHA-256 of what would change, the same for the same changes on another day
      (plugins/module_utils/approval.py); empty where nothing would, or where the gate refuses.
  type: str
  returned: success
lines:
  description: What changes, a resource or attribute a line, sensitive values masked.
  type: list
  elements: str
  returned: success
refusals:
  description: Why the gate refuses the plan, a sentence each with resource, rule and cure.
  type: list
  elements: str
  returned: success
losses:
  description: What data or protection the plan takes away (address, what).
  type: list
  elements: dict
  returned: success
seal:
  description: What binds a plan that passed to where and when it may be applied.
  type: dict
  returned: success
cost:
  description: The change of costs in words; empty where none was asked for.
  type: str
  returned: success
terraform_starts:
  description: The terraform commands that were run.
  type: list
  elements: str
  returned: success
"""


class TerraformError(Exception):
    """A terraform command failed; the text is its stderr."""


def fingerprint(
    project_path: Path, backend_config: dict[str, Any], cli_config: str, terraform_path: str
) -> str:
    """Return a digest of all that `terraform init` depends on."""
    digest = hashlib.sha256()
    for part in (json.dumps(backend_config, sort_keys=True), terraform_path, cli_config):
        digest.update(part.encode() + b"\0")
    for path in (cli_config, terraform_path):
        if path and Path(path).is_file():
            digest.update(str(Path(path).stat().st_mtime_ns).encode())
    for path in (project_path / ".terraform.lock.hcl", *sorted(project_path.glob("*.tf"))):
        if path.is_file():
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


class Planner:
    """One stack's working folder."""

    def __init__(self, want: dict[str, Any], terraform_path: str, lock: bool) -> None:
        self.want = want
        self.binary = terraform_path
        self.lock = lock
        self.project = Path(want["project_path"])
        self.data_dir = Path(want["data_dir"])
        self.plans = self.data_dir / "plans"
        self.variables = terraform.environment(os.environ, str(self.data_dir), want["cli_config"])
        self.starts: list[str] = []

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        self.starts.append(words[0])
        return terraform.run([self.binary, *words], self.project, self.variables)

    def init(self) -> None:
        """Initialise unless the folder already is, for the very same inputs."""
        mark = self.data_dir / "initialised"
        wanted = fingerprint(
            self.project,
            self.want["backend_config"],
            self.variables.get("TF_CLI_CONFIG_FILE", ""),
            self.binary,
        )
        if mark.is_file() and mark.read_text() == wanted:
            return
        mark.unlink(missing_ok=True)
        settings = [
            f"-backend-config={key}={terraform.setting(value)}"
            for key, value in self.want["backend_config"].items()
        ]
        # -reconfigure: the folder is this stack's and environment's own, so a changed setting
        # is never a state to be moved.
        done = self.run("init", "-no-color", "-reconfigure", "-lockfile=readonly", *settings)
        if done.returncode:
            raise TerraformError(done.stderr or done.stdout)
        mark.write_text(wanted)

    def plan(self, plan_file: Path) -> bool:
        """Plan to plan_file. Returns whether anything would change."""
        descriptor, name = tempfile.mkstemp(
            dir=self.plans, prefix="variables-", suffix=".tfvars.json"
        )
        try:
            with os.fdopen(descriptor, "w") as file:  # mkstemp makes it 0600
                json.dump(self.want["variables"], file)
            words = ["-no-color", "-detailed-exitcode", f"-out={plan_file}", f"-var-file={name}"]
            if self.want["destroy"]:
                words.append("-destroy")
            if not self.lock:
                words.append("-lock=false")
            done = self.run("plan", *words)
            if done.returncode == 1 and "terraform init" in done.stderr:
                # The folder was made by another version or was meddled with: once more, from new.
                (self.data_dir / "initialised").unlink(missing_ok=True)
                self.init()
                done = self.run("plan", *words)
        finally:
            Path(name).unlink(missing_ok=True)
        if done.returncode not in (0, 2):
            raise TerraformError(done.stderr or done.stdout)
        return done.returncode == 2

    def show(self, plan_file: Path) -> dict[str, Any]:
        """Return the plan's JSON."""
        done = self.run("show", "-no-color", "-json", str(plan_file))
        if done.returncode:
            raise TerraformError(done.stderr)
        return json.loads(done.stdout)


def judge(plan: dict[str, Any], want: dict[str, Any]) -> gate.Judgement:
    """Return what the gate says of a plan."""
    return gate.judge(
        plan,
        stack=want["stack"],
        environment=want["environment"],
        account_id=want["account_id"],
        project_path=want["project_path"],
        protected=want["protected"],
        allow_http=want["allow_http"],
        open_groups=want["open_groups"],
    )


def cost_change(plan: dict[str, Any], want: dict[str, Any]) -> str:
    """Return what a plan changes in costs, in words."""
    try:
        tables = prices.load(Path(want["costs"]), want["environment"])
        return prices.plan_delta(plan, tables, want["stack"]).sentence()
    except prices.PriceError as error:
        return f"unknown: {error}"


def main(make: Callable[..., Any] = AnsibleModule) -> None:
    module = make(
        argument_spec={
            "stack": {"type": "str", "required": True},
            "environment": {"type": "str", "required": True},
            "project_path": {"type": "path", "required": True},
            "data_dir": {"type": "path", "required": True},
            "cli_config": {"type": "path", "default": ""},
            "backend_config": {"type": "dict", "required": True},
            "variables": {"type": "dict", "default": {}},
            "destroy": {"type": "bool", "default": False},
            "keep": {"type": "bool", "default": True},
            "account_id": {"type": "str", "required": True},
            "protected": {"type": "bool", "default": False},
            "allow_http": {"type": "bool", "default": False},
            "open_groups": {"type": "list", "elements": "str", "default": []},
            "allow_destroy": {"type": "str", "default": "0"},
            "allow_destroy_reason": {"type": "str", "default": ""},
            "costs": {"type": "path", "default": ""},
        },
        supports_check_mode=True,
    )
    want = module.params
    planned_at = datetime.now(UTC).isoformat(timespec="seconds")

    def fail(message: str, locked: bool = False) -> None:
        module.fail_json(msg=message, planned_at=planned_at, locked=locked)

    if not Path(want["project_path"]).is_dir():
        fail(f"Stack {want['stack']}: its folder {want['project_path']} does not exist.")
    # In check mode nothing is written, not even a lock.
    planner = Planner(
        want, module.get_bin_path("terraform", required=True), lock=not module.check_mode
    )
    os.umask(0o077)
    planner.plans.mkdir(parents=True, exist_ok=True)
    if not module.check_mode:
        # This run holds the environment's lock, so what lies here was left by one that was killed.
        for left in (*planner.plans.glob("plan-*"), *planner.plans.glob("variables-*")):
            left.unlink(missing_ok=True)
    prefix = "check-" if module.check_mode else "plan-"
    descriptor, name = tempfile.mkstemp(dir=planner.plans, prefix=prefix, suffix=".tfplan")
    os.close(descriptor)
    plan_file = Path(name)
    keep = False
    summary: dict[str, Any] = summarise({})
    judgement, refusals, seal, cost, changes = gate.Judgement(), [], {}, "", ""
    try:
        planner.init()
        has_changes = planner.plan(plan_file)
        if has_changes:
            plan = planner.show(plan_file)
            summary = summarise(plan)
            judgement = judge(plan, want)
            refusals = judgement.refusals(
                want["allow_destroy"].strip(), want["allow_destroy_reason"].strip()
            )
            cost = cost_change(plan, want) if want["costs"] else ""
            if not refusals:
                lineage, serial = gate_seal.state_of(plan_file)
                # What has no state yet gets another lineage with each plan.
                changes = approval.digest(plan, lineage if serial else "")
        keep = has_changes and want["keep"] and not module.check_mode and not refusals
        if keep:
            seal = gate_seal.make(
                plan_file,
                stack=want["stack"],
                environment=want["environment"],
                account_id=want["account_id"],
                backend_config=want["backend_config"],
                made=planned_at,
                losses=[asdict(one) for one in judgement.losses],
            )
    except TerraformError as error:
        message = terraform.explain(str(error), want["stack"], want["environment"])
        fail(message, locked=terraform.met_a_lock(str(error)))
    finally:
        if not keep:
            plan_file.unlink(missing_ok=True)
    module.exit_json(
        changed=has_changes and module.check_mode,
        has_changes=has_changes,
        plan_file=str(plan_file) if keep else "",
        planned_at=planned_at,
        cli_config=planner.variables.get("TF_CLI_CONFIG_FILE", ""),
        terraform_starts=planner.starts,
        refusals=refusals,
        losses=[asdict(one) for one in judgement.losses],
        seal=seal,
        cost=cost,
        changes=changes,
        evidence=[f"plan: {summary['sentence']}"] if has_changes else [],
        diff={"prepared": "\n".join(summary["lines"]) + "\n"} if has_changes else {},
        **summary,
    )


if __name__ == "__main__":
    main()
