#!/usr/bin/python
"""Ansible module: release the Terraform state locks that a dead run of this machine left."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils.aws import (
    client,
    error_code,
    explain,
    require_boto3,
)
from ansible_collections.drydock.ops.plugins.module_utils.runs import terraform_processes
from ansible_collections.drydock.ops.plugins.module_utils.state_locks import (
    ABSENT,
    StateStore,
    parse_time,
)

DOCUMENTATION = r"""
module: state_lock
short_description: Release Terraform state locks that a dead run left behind
description:
  - Looks at both kinds of lock of the S3 backend (the item in the DynamoDB table and the
    C(.tflock) object) for the given states.
  - Releases a lock only if it was taken on this machine and not before O(since), and only if
    no terraform below O(work_dir) still runs. Call it only while holding the environment's
    lock, after that was taken over from a run of this machine.
options:
  bucket: {description: Bucket of the states., type: str, required: true}
  table: {description: DynamoDB lock table., type: str, required: true}
  region: {description: AWS region of both., type: str, required: true}
  keys: {description: Keys of the states in the bucket., type: list, elements: str, required: true}
  since: {description: Start of the dead run in UTC (ISO 8601)., type: str, required: true}
  work_dir: {description: Folder below which the TF_DATA_DIRs lie., type: path, required: true}
attributes:
  check_mode:
    support: full
author: [Drydock]
"""

EXAMPLES = r"""
- name: Release what the dead run left
  drydock.ops.state_lock:
    bucket: drydock-dev-tfstate-111111111111
    table: drydock-dev-tflock
    region: us-east-1
    keys: [dev/data.tfstate]
    since: "{{ lock.taken_over.acquired }}"
    work_dir: "{{ drydock_home }}/terraform/dev"
"""

RETURN = r"""
released:
  description: One sentence for each lock that was released.
  type: list
  elements: str
  returned: always
kept:
  description: One sentence for each lock that is not the dead run's.
  type: list
  elements: str
  returned: always
"""


def is_left_over(info: dict[str, Any], host: str, since: str) -> bool:
    """Return whether a lock (Terraform's lock info) was taken on host at or after since."""
    taken_here = str(info.get("Who", "")).rpartition("@")[2] == host
    return taken_here and parse_time(str(info["Created"])) >= parse_time(since)


def main(make: Callable[..., Any] = AnsibleModule) -> None:
    module = make(
        argument_spec={
            "bucket": {"type": "str", "required": True},
            "table": {"type": "str", "required": True},
            "region": {"type": "str", "required": True},
            "keys": {"type": "list", "elements": "str", "required": True, "no_log": False},
            "since": {"type": "str", "required": True},
            "work_dir": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    require_boto3(module)
    want = module.params
    released: list[str] = []
    kept: list[str] = []
    running = terraform_processes(want["work_dir"])
    if running:
        module.fail_json(
            msg=f"A terraform still works in {running[0][1]} (process {running[0][0]}), so no "
            "state lock was released: wait until it has ended."
        )
    try:
        dynamodb, s3 = client("dynamodb", want["region"]), client("s3", want["region"])
        store = StateStore(dynamodb, s3, want["table"], want["bucket"])
        for key in want["keys"]:
            for lock in store.locks(key):
                info = lock["info"]
                text = (
                    f"state {key}: lock {info.get('ID')} ({lock['kind']}) of {info.get('Who')} "
                    "since "
                    f"{info.get('Created')}"
                )
                if is_left_over(info, socket.gethostname(), want["since"]):
                    # One that changed hands meanwhile is no longer the dead run's.
                    gone = module.check_mode or store.release(key, lock)
                    (released if gone else kept).append(text)
                else:
                    kept.append(text)
    except Exception as error:
        if error_code(error) not in ABSENT:
            module.fail_json(msg=explain(error, "State locks"), released=released, kept=kept)
    evidence = [f"released the left-over {text}" for text in released]
    module.exit_json(changed=bool(released), released=released, kept=kept, evidence=evidence)


if __name__ == "__main__":
    main()
