#!/usr/bin/python
"""Ansible module: open, undo and close the journal of what a runbook has begun."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils.aws import (
    client,
    error_code,
    explain,
    require_boto3,
)
from ansible_collections.drydock.ops.plugins.module_utils.journal import Journal
from ansible_collections.drydock.ops.plugins.module_utils.runs import Run, end_sessions
from ansible_collections.drydock.ops.plugins.module_utils.sessions import public

DOCUMENTATION = r"""
module: runbook_journal
short_description: Open, undo and close the journal of what a runbook has begun
description:
  - One item C(<environment>/runbook) in the lock table. Mitigation modules write their steps into
    it (C(module_utils/journal.py)).
options:
  environment: {description: Environment of the runbook., type: str, required: true}
  operation:
    description:
      - C(read) tells what is there. C(recover) undoes what another run left; call it only while
        holding the environment's lock, which says that that run is gone. C(open) begins an empty
        journal. C(undo) takes back this run's own steps and never another's. C(close) forgets this
        run's steps, because what they did is to stay.
    type: str
    choices: [read, recover, open, undo, close]
    required: true
  runbook: {description: Name of the runbook to open., type: str, default: ""}
  table: {description: DynamoDB table of the locks., type: str, required: true}
  region: {description: AWS region of the table., type: str, required: true}
  table_optional:
    description: Take a table that is not there as one without a journal.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
author: [Drydock]
"""

EXAMPLES = r"""
- name: Undo what a runbook that died has begun
  drydock.ops.runbook_journal:
    environment: dev
    operation: recover
    table: drydock-dev-tflock
    region: us-east-1
"""

RETURN = r"""
left:
  description: Runbook, holder and steps of another run's journal; empty when there is none.
  type: dict
  returned: always
steps:
  description: Steps of this run's journal.
  type: list
  elements: dict
  returned: always
undone:
  description: One {step, at, undone, text} per step that was or should have been taken back.
  type: list
  elements: dict
  returned: always
"""


def recover(journal: Journal) -> list[dict[str, Any]]:
    """Undo and forget what another run left; that run must be known to be gone."""
    left = journal.read()
    # A killed ansible-playbook leaves the module behind that it was waiting for.
    if left["run"].machine == journal.run.machine and left["run"].boot == journal.run.boot:
        end_sessions(step["session"] for step in left["steps"] if step.get("session"))
    report = journal.undo()
    # What can't be undone now won't be by trying for ever; it is said, and stands in the evidence.
    journal.clear()
    return report


def act(journal: Journal, operation: str, runbook: str, check: bool) -> dict[str, Any]:
    """Do the operation. Returns the module's result."""
    held = journal.read()
    mine = bool(held) and held["run"] == journal.run
    result: dict[str, Any] = {
        "changed": False,
        "left": {},
        "steps": held["steps"] if mine else [],
        "undone": [],
    }
    if held and not mine:
        result["left"] = {
            "runbook": held["runbook"],
            "holder": held["run"].name,
            "steps": [step["step"] for step in journal.unfinished()],
        }
    if check or operation == "read":
        return result
    if operation == "recover" and held and not mine:
        result["undone"] = recover(journal)
    elif operation == "open":
        journal.open(runbook)
    elif operation == "undo" and mine:
        result["undone"] = journal.undo()
        # What failed to be undone is left for the next run to try again.
        if not any(step["calls"] for step in journal.unfinished()):
            journal.clear()
    elif operation == "close" and mine:
        journal.clear()
    if result["undone"]:
        result["changed"] = any(one["undone"] for one in result["undone"])
        result["evidence"] = [one["text"] for one in result["undone"]]
        result["runbook_evidence"] = {
            "undone": result["undone"],
            "steps": public(held["steps"]) if mine else [],
        }
    return result


def main(make: Callable[..., Any] = AnsibleModule) -> None:
    module = make(
        argument_spec={
            "environment": {"type": "str", "required": True},
            "operation": {
                "type": "str",
                "choices": ["read", "recover", "open", "undo", "close"],
                "required": True,
            },
            "runbook": {"type": "str", "default": ""},
            "table": {"type": "str", "required": True},
            "region": {"type": "str", "required": True},
            "table_optional": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    require_boto3(module)
    want = module.params
    environment = want["environment"]
    journal = Journal(client("dynamodb", want["region"]), want["table"], environment, Run.current())
    try:
        result = act(journal, want["operation"], want["runbook"], module.check_mode)
    except Exception as error:
        if error_code(error) == "ResourceNotFoundException":
            if want["table_optional"]:
                module.exit_json(changed=False, left={}, steps=[], undone=[])
            module.fail_json(
                msg=f"The lock table {want['table']} of {environment} does not exist: "
                "run playbooks/bootstrap.yml first."
            )
        module.fail_json(msg=explain(error, f"Journal of {environment}"))
    if module.check_mode and result["left"].get("steps"):
        module.warn(
            f"The runbook {result['left']['runbook']} of {result['left']['holder']} left undone: "
            f"{'; '.join(result['left']['steps'])}. A run without --check undoes it first, unless "
            "that runbook is still at work."
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
