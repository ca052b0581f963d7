#!/usr/bin/python
"""Ansible module: end chosen sessions of a database, and no others."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils import postgres
from ansible_collections.drydock.ops.plugins.module_utils.aws import (
    client,
    explain,
    require_boto3,
)
from ansible_collections.drydock.ops.plugins.module_utils.journal import Journal, JournalRefused
from ansible_collections.drydock.ops.plugins.module_utils.runs import Run

DOCUMENTATION = r"""
module: database_sessions
short_description: End chosen sessions of a database
description:
  - Ends the sessions that M(drydock.ops.database_diagnosis) chose, in the order given. Each is
    looked at again in the statement that ends it, by process, start and state; one that has moved
    on, or whose process number is another's by now, is left alone.
  - Sessions of the server itself and of replication can't be ended with it, whatever is asked.
  - There is no undo; clients connect anew.
options:
  identifier: {description: RDS instance., type: str, required: true}
  sessions:
    description: Sessions to end, as in RV(ignore:change.targets).
    type: list
    elements: dict
    required: true
  max_ended: {description: Most sessions to end; more are refused., type: int, default: 50}
  patience: {description: Seconds to wait for a free slot., type: int, default: 15}
  environment: {description: Environment whose journal is kept., type: str, required: true}
  lock_table: {description: DynamoDB table of locks and journal., type: str, required: true}
  region: {description: AWS region., type: str, required: true}
attributes:
  check_mode: {support: full, details: Shows which sessions would be ended.}
  diff_mode: {support: full}
author: [Drydock]
"""

EXAMPLES = r"""
- name: End leaked sessions
  drydock.ops.database_sessions:
    identifier: drydock-dev
    sessions: "{{ diagnosis.change.targets }}"
    environment: dev
    lock_table: drydock-dev-tflock
    region: us-east-1
"""

RETURN = r"""
ended:
  description: Sessions that were, or would be, ended, as text.
  type: list
  returned: success
"""


def shown(one: dict[str, Any]) -> str:
    """Return a session as the diff and the evidence show it."""
    return (
        f"pid {one['pid']} of {one['role'] or '-'} from {one['origin']} {one['address']}"
        f"{' as ' + one['application'] if one['application'] else ''}, connected for "
        f"{one['age']} s, {one['state']} for {one['state_age']} s: {one['why']}"
    )


def states(one: dict[str, Any]) -> list[str]:
    """Return the states in which a session is still what it was chosen for."""
    aborted = "idle in transaction (aborted)"
    return [one["state"], aborted] if one["state"] == "idle in transaction" else [one["state"]]


def end(want: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Return the module's result. Raises DatabaseError, JournalRefused, botocore's errors."""
    chosen = want["sessions"]
    if len(chosen) > want["max_ended"]:
        raise postgres.DatabaseError(
            f"{len(chosen)} sessions were chosen but max_ended is {want['max_ended']}: nothing was "
            "ended; choose fewer or raise max_ended."
        )
    if not chosen:
        return {"changed": False, "ended": [], "diff": {"before": "", "after": ""}}
    login = postgres.master_login(want["identifier"], want["region"])
    ended, actions = [], []
    what = f"end up to {len(chosen)} sessions of {want['identifier']}"
    journal = Journal(
        client("dynamodb", want["region"]), want["lock_table"], want["environment"], Run.current()
    )
    with postgres.connect(login, want["patience"]) as connection:
        if not check_mode:
            # Their clients connect anew: there is nothing to take back.
            journal.begin(what, None, keep=True)
        for one in chosen:
            given = (connection, one["pid"], one["backend_start"], states(one))
            if postgres.still(*given) if check_mode else postgres.terminate(*given):
                ended.append(shown(one))
                if not check_mode:
                    at = datetime.now(UTC).isoformat(timespec="milliseconds")
                    actions.append(
                        {"at": at, "what": f"ended {shown(one)}", "target": want["identifier"]}
                    )
    if not check_mode:
        journal.done(what)
    left = len(chosen) - len(ended)
    return {
        "changed": bool(ended),
        "ended": ended,
        "diff": {
            "before_header": f"sessions of {want['identifier']}",
            "after_header": f"sessions of {want['identifier']}",
            "before": "".join(f"{text}\n" for text in ended),
            "after": "",
        },
        "evidence": [
            f"{len(ended)} sessions {'would be ' if check_mode else ''}ended, {left} had moved on"
        ],
        "runbook_evidence": {"actions": actions},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "identifier": {"type": "str", "required": True},
            "sessions": {"type": "list", "elements": "dict", "required": True},
            "max_ended": {"type": "int", "default": 50},
            "patience": {"type": "int", "default": 15},
            "environment": {"type": "str", "required": True},
            "lock_table": {"type": "str", "required": True},
            "region": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    require_boto3(module)
    postgres.require_psycopg(module)
    try:
        result = end(module.params, module.check_mode)
    except (postgres.DatabaseError, JournalRefused) as error:
        module.fail_json(msg=str(error))
    except Exception as error:
        module.fail_json(msg=explain(error, f"Ending sessions of {module.params['identifier']}"))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
