#!/usr/bin/python
"""Ansible module: judge the Solana node that it runs on. Changes nothing."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils.solana_health import (
    CONFIG,
    Config,
    Refused,
    looks,
    served,
)

DOCUMENTATION = r"""
module: solana_health
short_description: Judge a Solana node against others, as its load balancer's check does
description:
  - Looks at the node's own RPC and at its references itself, so it tells the truth also where the
    service solana_health does not run; what that service answers is told beside it.
  - Run it on the node. What is not known counts as unhealthy.
options:
  config:
    description: File that solana_health reads.
    type: path
    default: /etc/solana/health.json
  wait_seconds:
    description: Seconds to wait for O(expect); 0 looks once.
    type: float
    default: 0
  watch_seconds:
    description: Seconds to look at least, so that gain and pace are more than a moment's.
    type: float
    default: 0
  steady_seconds:
    description: Seconds to be ready without falling back, for O(expect=steady).
    type: float
    default: 20
  expect:
    description:
      - What must be found in the end, or the module fails. V(ready) could serve, were it not taken
        out; V(steady) is ready and keeps up, which one that is too slow does not though a short
        restart leaves it near enough; V(healthy) may serve, and its service says so.
    type: str
    choices: [anything, ready, steady, healthy]
    default: anything
attributes:
  check_mode: {support: full}
author: [Drydock]
"""

EXAMPLES = r"""
- name: Wait until the node has caught up
  drydock.ops.solana_health:
    expect: steady
    wait_seconds: 3600
"""

RETURN = r"""
health:
  description:
    - healthy, ready, reasons (code to sentence), slot, reference_slot, slots_behind (none where
      unknown), advancing, gain (slots per second by which it comes nearer), pace (its own slots per
      second, where it was watched), steady, version, references, maintenance; unit (systemd's
      ActiveState and SubState); served (status that the load balancer gets, 0 for no answer).
  type: dict
  returned: always
"""


# Slots; two nodes are never asked at the same moment.
_FALLEN_BACK = 10


def judge(module: AnsibleModule, config: Config) -> dict[str, Any]:
    """Look until what is expected is found or the time is up; return the last report."""
    want = module.params
    first: dict[str, Any] | None = None
    since: dict[str, Any] | None = None
    for seen in looks(config, max(want["wait_seconds"], want["watch_seconds"])):
        first = first or seen
        seen["served"] = served(config)
        since = _ready_since(since, seen)
        seen["steady"] = bool(since) and seen["at"] - since["at"] >= want["steady_seconds"]
        seconds = seen["at"] - first["at"]
        if seconds < want["watch_seconds"]:
            continue
        if seconds and None not in (seen["slots_behind"], first["slots_behind"]):
            seen["gain"] = round((first["slots_behind"] - seen["slots_behind"]) / seconds, 2)
            seen["pace"] = round((seen["slot"] - first["slot"]) / seconds, 2)
        if _found(want["expect"], seen):
            break
    return seen


def _ready_since(since: dict[str, Any] | None, seen: dict[str, Any]) -> dict[str, Any] | None:
    """Return the report from which on the node has been ready and has kept up."""
    if not seen["ready"]:
        return None
    fell_back = since and seen["slots_behind"] - since["slots_behind"] > _FALLEN_BACK
    return seen if fell_back or not since else since


def _found(expect: str, seen: dict[str, Any]) -> bool:
    if expect == "healthy":
        return bool(seen["healthy"]) and seen["served"] == 200
    return expect == "anything" or bool(seen["steady" if expect == "steady" else "ready"])


def unit(module: AnsibleModule) -> dict[str, str]:
    """Return systemd's ActiveState and SubState of the node."""
    _, out, _ = module.run_command(
        ["systemctl", "show", "solana-validator.service", "--property=ActiveState,SubState"]
    )
    return dict(line.split("=", 1) for line in out.splitlines() if "=" in line)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "config": {"type": "path", "default": CONFIG},
            "wait_seconds": {"type": "float", "default": 0},
            "watch_seconds": {"type": "float", "default": 0},
            "steady_seconds": {"type": "float", "default": 20},
            "expect": {
                "type": "str",
                "choices": ["anything", "ready", "steady", "healthy"],
                "default": "anything",
            },
        },
        supports_check_mode=True,
    )
    try:
        config = Config.load(module.params["config"])
    except Refused as error:
        module.fail_json(msg=str(error))
    seen = {**judge(module, config), "unit": unit(module)}
    if not _found(module.params["expect"], seen):
        # Who is only to be ready may be taken out.
        passed_over = {"maintenance"} if module.params["expect"] != "healthy" else set()
        said = "; ".join(text for code, text in seen["reasons"].items() if code not in passed_over)
        if not said and module.params["expect"] == "steady":
            said = f"it is {seen['slots_behind']} slots behind and does not keep up for long"
        elif not said:
            said = f"the service solana_health answers {seen['served']}, not 200"
        module.fail_json(
            msg=f"It is not {module.params['expect']} after {module.params['wait_seconds']:.0f} s: "
            f"{said}.",
            health=seen,
        )
    module.exit_json(changed=False, health=seen)


if __name__ == "__main__":
    main()
