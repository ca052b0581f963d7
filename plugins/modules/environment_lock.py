#!/usr/bin/python
"""Ansible module: the lease that keeps two runs from changing one environment at once."""

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
from ansible_collections.drydock.ops.plugins.module_utils.locks import (
    EnvironmentLock,
    LockRefused,
)
from ansible_collections.drydock.ops.plugins.module_utils.runs import Run

DOCUMENTATION = r"""
module: environment_lock
short_description: Hold the lock of an environment while it is changed
description:
  - Puts an item into the DynamoDB table that also holds Terraform's state locks, on the
    condition that nobody else's is there. The item names holder, purpose, start and expiry.
  - The holder is the ansible-playbook run, not the task, so every play of a run may ask for it
    again; that renews the lease.
  - A lease is taken over when it has expired, or when its run was on this machine and has
    ended. While a terraform that such a run started still works, it is not taken over.
  - In check mode nothing is written; a lock that somebody holds is named in a warning.
options:
  environment:
    description: Environment that the lock is for.
    type: str
    required: true
  state:
    description: C(present) takes or renews the lock, C(absent) gives back one's own.
    type: str
    choices: [present, absent]
    default: present
  table:
    description: DynamoDB table with the string key C(LockID).
    type: str
    required: true
  region:
    description: AWS region of the table.
    type: str
    required: true
  purpose:
    description: What the lock is held for, in a word or two.
    type: str
    default: operations
  lease_minutes:
    description: Minutes after which others may take the lock over.
    type: int
    default: 120
  work_dir:
    description: Folder below which this environment's TF_DATA_DIRs lie.
    type: path
    required: true
  table_optional:
    description: Go on without a lock where the table is not there, as before the first bootstrap.
    type: bool
    default: false
  dead_holder:
    description:
      - C(user@host) of another machine, whose run somebody has seen there to have ended; its
        lease is taken over before it expires.
    type: str
    default: ''
attributes:
  check_mode:
    support: full
author: [Drydock]
"""

EXAMPLES = r"""
- name: Take the lock
  drydock.ops.environment_lock:
    environment: dev
    table: drydock-dev-tflock
    region: us-east-1
    purpose: provision
    work_dir: "{{ drydock_home }}/terraform/dev"
"""

RETURN = r"""
lock:
  description: Name of the lock.
  type: str
  returned: always
held:
  description: Whether this run holds the lock now.
  type: bool
  returned: always
left:
  description:
    - Whether a runbook of another run, which is gone, has left a journal of what it began; undo
      that (M(drydock.ops.runbook_journal)) before anything else is changed.
  type: bool
  returned: always
taken_over:
  description: The holder whose lease was taken over, and why; empty when it was free.
  type: dict
  returned: on state=present
  sample: {holder: ann@ops1 (process 4711), reason: ended, acquired: "2026-01-02T03:04:05Z"}
"""


def main(make: Callable[..., Any] = AnsibleModule) -> None:
    module = make(
        argument_spec={
            "environment": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "table": {"type": "str", "required": True},
            "region": {"type": "str", "required": True},
            "purpose": {"type": "str", "default": "operations"},
            "lease_minutes": {"type": "int", "default": 120},
            "work_dir": {"type": "path", "required": True},
            "table_optional": {"type": "bool", "default": False},
            "dead_holder": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    require_boto3(module)
    want = module.params
    lock = EnvironmentLock(
        (client("dynamodb", want["region"]), want["table"]),
        want["environment"],
        Run.current(),
        want["work_dir"],
    )
    result: dict[str, Any] = {"lock": lock.name, "changed": False, "held": False, "left": False}
    try:
        if module.check_mode:
            held = lock.read()
            if held and held["run"] != lock.run:
                module.warn(f"What is shown may be changing now: {lock.refusal(held)}")
        elif want["state"] == "present":
            answer = lock.acquire(want["purpose"], want["lease_minutes"], want["dead_holder"])
            # Taking a lock changes nothing that the run is about.
            result.update(held=True, taken_over=answer["taken_over"])
        else:
            lock.release()
        if want["state"] == "present":
            journal = Journal(lock.dynamodb, want["table"], want["environment"], lock.run).read()
            result["left"] = bool(journal) and journal["run"] != lock.run
    except LockRefused as refused:
        module.fail_json(msg=str(refused), **result)
    except Exception as error:
        if error_code(error) == "ResourceNotFoundException":
            if want["table_optional"] or want["state"] == "absent" or module.check_mode:
                module.exit_json(**result)
            module.fail_json(
                msg=f"The lock table {want['table']} of {want['environment']} does not exist: "
                "run playbooks/bootstrap.yml first.",
                **result,
            )
        module.fail_json(msg=explain(error, f"Lock of {want['environment']}"), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
