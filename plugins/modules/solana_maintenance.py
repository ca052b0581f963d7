#!/usr/bin/python
"""Ansible module: take the Solana node that it runs on out of service, or put it back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils.solana_health import (
    CONFIG,
    Config,
    Refused,
    maintenance,
    mark,
)

DOCUMENTATION = r"""
module: solana_maintenance
short_description: Take a Solana node out of service, or put it back under the check's judgement
description:
  - Writes or removes the mark that has solana_health tell the load balancer that the node may not
    serve. The mark ends by itself, so a node is not lost where whoever took it out has died.
  - Run it on the node. Refuses a mark that somebody else has made.
options:
  state:
    description: V(present) takes it out.
    type: str
    choices: [present, absent]
    default: present
  who: {description: Who takes it out; only the same puts it back., type: str, required: true}
  why: {description: What for., type: str, default: ""}
  minutes: {description: How long the mark holds at most., type: float, default: 240}
  planned:
    description: Tell CloudWatch nothing of its health meanwhile.
    type: bool
    default: false
  config:
    description: File that solana_health reads.
    type: path
    default: /etc/solana/health.json
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
author: [Drydock]
"""

EXAMPLES = r"""
- name: Take the node out
  drydock.ops.solana_maintenance:
    who: upgrade-solana
    why: "4.1.2 to 4.1.3"
    planned: true
"""

RETURN = r"""
maintenance:
  description: The mark as it is now; none where there is none.
  type: dict
  returned: success
"""


def change(path: str, want: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Make or remove the mark; return the module's result. Raises Refused, OSError."""
    found = maintenance(path)
    if found and found.get("who") != want["who"]:
        raise Refused(
            f"The node is taken out by {found.get('who')} since {found.get('since')} "
            f"({found.get('why')}); nothing was changed. Let that end, or remove {path} there."
        )
    present = want["state"] == "present"
    if present and not check_mode:
        # Made anew each time, so that it holds as long as is asked for now.
        now = mark(path, want["who"], want["why"], want["minutes"], want["planned"])
    elif present:
        now = {"who": want["who"], "why": want["why"]}
    else:
        now = None
        if not check_mode:
            Path(path).unlink(missing_ok=True)
    return {
        "changed": bool(found) != present,
        "maintenance": now,
        "diff": {"before": _words(found), "after": _words(now)},
    }


def _words(found: dict[str, Any] | None) -> str:
    return f"taken out by {found['who']}: {found['why']}\n" if found else "in service\n"


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "who": {"type": "str", "required": True},
            "why": {"type": "str", "default": ""},
            "minutes": {"type": "float", "default": 240},
            "planned": {"type": "bool", "default": False},
            "config": {"type": "path", "default": CONFIG},
        },
        supports_check_mode=True,
    )
    try:
        path = Config.load(module.params["config"]).maintenance_file
        result = change(path, module.params, module.check_mode)
    except (Refused, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
