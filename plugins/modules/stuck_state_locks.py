#!/usr/bin/python
"""Ansible module: find state locks whose terraform is dead, and release those."""

from __future__ import annotations

import socket
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils.aws import (
    client,
    explain,
    require_boto3,
)
from ansible_collections.drydock.ops.plugins.module_utils.journal import Journal, JournalRefused
from ansible_collections.drydock.ops.plugins.module_utils.runs import Run, moment
from ansible_collections.drydock.ops.plugins.module_utils.state_locks import (
    StateStore,
    parse_time,
    possible_holders,
    state_key,
)

DOCUMENTATION = r"""
module: stuck_state_locks
short_description: Release Terraform state locks whose holder is known to be dead
description:
  - Looks at both kinds of lock of the S3 backend, and at the MD5 that the lock table notes of a
    state. Says of each lock whether its terraform lives, is dead, or can't be known to be either.
  - A lock of this machine is dead when no terraform here works with that state. One of another
    machine is dead when O(dead_holder) names its holder.
  - A digest that belongs to an earlier version of the same state is that of a terraform that was
    killed between writing the state and noting its MD5; the note is mended. Any other is left.
  - Releases what is dead, unless it changed hands since it was looked at, and leaves the rest.
options:
  environment: {description: Environment of the states., type: str, required: true}
  stacks: {description: Stacks to look at., type: list, elements: str, required: true}
  bucket: {description: Bucket of the states., type: str, required: true}
  table: {description: DynamoDB lock table., type: str, required: true}
  region: {description: AWS region of both., type: str, required: true}
  dead_holder:
    description: C(user@host) of another machine whose terraform was seen there to have ended.
    type: str
    default: ''
attributes:
  check_mode: {support: full, details: Looks, and shows what it would release.}
  diff_mode: {support: full}
author: [Drydock]
"""

EXAMPLES = r"""
- name: Look for stuck locks
  drydock.ops.stuck_state_locks:
    environment: dev
    stacks: [foundation]
    bucket: drydock-dev-tfstate-111111111111
    table: drydock-dev-tflock
    region: us-east-1
  check_mode: true
  register: found
"""

RETURN = r"""
findings:
  description: One {stack, what, verdict (dead, alive, unknown), why, holder, text} for each.
  type: list
  elements: dict
  returned: success
dead: {description: What is or would be released., type: list, elements: str, returned: success}
alive: {description: Locks whose terraform works., type: list, elements: str, returned: success}
unknown:
  description: What can't be judged from here, and why.
  type: list
  elements: str
  returned: success
holders: {description: Holders of the unknown., type: list, elements: str, returned: success}
"""


def judge(bucket: str, key: str, info: dict[str, Any], dead_holder: str) -> tuple[str, str]:
    """Return (verdict, why) of a lock with Terraform's lock info."""
    who, created = str(info.get("Who", "")), str(info.get("Created", ""))
    machine = who.rpartition("@")[2]
    if machine != socket.gethostname():
        if dead_holder == who:
            return "dead", f"you say that what {who} ran on {machine} has ended"
        return "unknown", f"{machine} is another machine, into which nobody sees from here"
    for pid, folder in possible_holders(bucket, key, created):
        return "alive", f"process {pid} in {folder} works with this state since before the lock"
    return "dead", f"on {machine}, this machine, no terraform works with this state any more"


class Repair:
    """Looks at the states of some stacks, and mends what is stuck."""

    def __init__(self, want: dict[str, Any], store: StateStore) -> None:
        self.want, self.store = want, store

    def look(self) -> list[dict[str, Any]]:
        """Return the findings, in the order in which they are to be mended."""
        return [one for stack in self.want["stacks"] for one in self._of(stack)]

    def _of(self, stack: str) -> list[dict[str, Any]]:
        key = state_key(self.want["environment"], stack)
        found = []
        for lock in self.store.locks(key):
            info = lock["info"]
            verdict, why = judge(self.want["bucket"], key, info, self.want["dead_holder"])
            age = max(0, int(time.time() - parse_time(info["Created"]).timestamp()))
            operation = str(info.get("Operation", "?")).removeprefix("OperationType").lower()
            found.append(
                {
                    "stack": stack,
                    "key": key,
                    "what": f"lock {info.get('ID')} ({lock['kind']}) of {stack}",
                    "verdict": verdict,
                    "why": why,
                    "holder": info.get("Who", ""),
                    "text": f"lock {info.get('ID')} ({lock['kind']}) of {stack}: {info.get('Who')} "
                    f"for {operation} since {info['Created']} ({age} s): {verdict}, {why}",
                    "lock": lock,
                }
            )
        # While a terraform works, its note may be behind for a moment by right.
        if any(one["verdict"] != "dead" for one in found):
            return found
        if digest := self.store.stale_digest(key):
            verdict = "dead" if digest["behind"] else "unknown"
            why = (
                "it is of the version before: a terraform was killed between writing and noting"
                if digest["behind"]
                else f"it is of none of the last versions; bring back the right version of {key} "
                f"in {self.want['bucket']}"
            )
            found.append(
                {
                    "stack": stack,
                    "key": key,
                    "what": f"digest of {stack}",
                    "verdict": verdict,
                    "why": why,
                    "holder": "",
                    "text": f"digest of {stack}: {digest['noted']} is noted, "
                    f"{digest['found'] or 'no state'} is there: {why}",
                    "digest": digest,
                }
            )
        return found

    def mend(self, findings: list[dict[str, Any]], journal: Journal) -> list[str]:
        """Release what is dead. Returns a sentence for each; raises JournalRefused."""
        said = []
        for one in findings:
            if one["verdict"] != "dead":
                continue
            key = one["key"]
            if "lock" in one:
                step = f"release {one['what']}"
                # A lock of the dead is not put back: the next terraform takes its own.
                journal.begin(step, None, keep=True)
                mended = self.store.release(key, one["lock"])
            else:
                step = f"note the {one['what']} anew"
                seen = one["digest"]
                back = self.store.digest_call(key, seen["noted"], seen["found"])
                call = {"service": "dynamodb", "operation": "PutItem", "parameters": back}
                journal.begin(step, [{**call, "region": self.want["region"]}])
                self.store.note_digest(key, seen)
                mended = True
            journal.done(step)
            said.append(f"{step}: {'done' if mended else 'it changed hands meanwhile, left'}")
        return said


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "environment": {"type": "str", "required": True},
            "stacks": {"type": "list", "elements": "str", "required": True},
            "bucket": {"type": "str", "required": True},
            "table": {"type": "str", "required": True},
            "region": {"type": "str", "required": True},
            "dead_holder": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    require_boto3(module)
    want = module.params
    said: list[str] = []
    try:
        dynamodb = client("dynamodb", want["region"])
        s3 = client("s3", want["region"])
        repair = Repair(want, StateStore(dynamodb, s3, want["table"], want["bucket"]))
        findings = repair.look()
        dead = [one["text"] for one in findings if one["verdict"] == "dead"]
        if not module.check_mode:
            said = repair.mend(
                findings, Journal(dynamodb, want["table"], want["environment"], Run.current())
            )
    except JournalRefused as error:
        module.fail_json(msg=str(error))
    except Exception as error:
        module.fail_json(msg=explain(error, f"State locks of {want['environment']}"))
    at = moment()
    module.exit_json(
        changed=bool(dead),
        findings=[
            {k: v for k, v in one.items() if k not in ("lock", "digest")} for one in findings
        ],
        dead=dead,
        alive=[one["text"] for one in findings if one["verdict"] == "alive"],
        unknown=[one["text"] for one in findings if one["verdict"] == "unknown"],
        holders=sorted({one["holder"] for one in findings if one["verdict"] == "unknown"} - {""}),
        diff={
            "before": "".join(f"{one['text']}\n" for one in findings),
            "after": "".join(f"{one['text']}\n" for one in findings if one["verdict"] != "dead"),
        },
        evidence=said,
        runbook_evidence={
            "actions": [{"at": at, "what": text, "target": want["environment"]} for text in said]
        },
    )


if __name__ == "__main__":
    main()
