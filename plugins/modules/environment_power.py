#!/usr/bin/python
"""Ansible module: one step of putting an environment to sleep, or of waking it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils import (
    power,
    power_guards,
    power_network,
    power_steps,
)
from ansible_collections.drydock.ops.plugins.module_utils.aws import (
    client,
    error_code,
    explain,
    require_boto3,
)
from ansible_collections.drydock.ops.plugins.module_utils.power import Note, Outcome, Refused
from ansible_collections.drydock.ops.plugins.module_utils.power_steps import Night
from ansible_collections.drydock.ops.plugins.module_utils.state_locks import state_key

DOCUMENTATION = r"""
module: environment_power
short_description: Put an environment to sleep for a night, or wake it, step by step
description:
  - Each step looks, does what can be done now, and waits. What there was is noted in the tag
    C(auto-stopped) of the resource before it is taken away, so a run that was killed anywhere is
    gone on with by the next one, and woken from at any point.
  - O(step=begin) refuses an environment that must not sleep, by its data, by its account and by
    what its resources say, each enough by itself; a start that comes too late for O(intended); and
    marks of C(keep-awake-until) that can't be read.
  - What somebody stopped by hand has no such tag and stays stopped.
options:
  environment: {description: Environment., type: str, required: true}
  action:
    description: Which way.
    type: str
    choices: [sleep, wake]
    default: sleep
  step:
    description:
      - C(state) says whether the environment sleeps, and changes nothing. C(keep_awake) notes
        O(awake_until). C(begin) and C(end) are the first and the last of an action; between them
        C(services), C(fleet), C(databases), and C(network), which goes before Terraform and takes
        away what one that was killed has made and not noted.
    type: str
    choices: [state, keep_awake, begin, services, fleet, databases, network, end]
    required: true
  awake_until:
    description:
      - ISO 8601 time with offset to which the environment is kept awake; C(none) takes it back.
    type: str
    default: ''
  intended:
    description:
      - Local time that the start was meant for, as C(18:00 Europe/Berlin); empty for one by hand.
    type: str
    default: ''
  window_minutes: {description: Minutes after which that is too late., type: int, default: 60}
  keep_snapshots:
    description: Snapshots of nights to keep of each database.
    type: int
    default: 7
  needed:
    description: What stays up and would miss its database, as sentences.
    type: list
    elements: str
    default: []
  timeout: {description: Seconds to wait for a step., type: int, default: 1800}
  inventories: {description: Folder of the inventories., type: path, required: true}
  lock_table: {description: DynamoDB table of locks and notes., type: str, required: true}
  state_bucket: {description: Bucket of the states; for C(network)., type: str, default: ''}
  region: {description: AWS region., type: str, required: true}
attributes:
  check_mode: {support: full, details: Says what would be done and calls nothing that changes.}
author: [Drydock]
"""

EXAMPLES = r"""
- name: Stop the services
  drydock.ops.environment_power:
    environment: dev
    step: services
    inventories: inventories
    lock_table: drydock-dev-tflock
    state_bucket: drydock-dev-tfstate-111111111111
    region: us-east-1
"""

RETURN = r"""
done: {description: What was done, or would be., type: list, elements: str, returned: success}
kept: {description: What stays up and why., type: list, elements: str, returned: success}
finished: {description: Whether nothing is waited for., type: bool, returned: success}
progress: {description: What is waited for., type: str, returned: success}
asleep:
  description: Whether the environment sleeps, or is on its way down or up.
  type: bool
  returned: success
since: {description: Since when; empty if awake., type: str, returned: success}
go:
  description: Whether the action is to go on; false where the environment is kept awake.
  type: bool
  returned: success
sentence: {description: How the environment is, in a sentence., type: str, returned: success}
"""

SERVICES = {
    "ec2": "ec2",
    "ecs": "ecs",
    "rds": "rds",
    "autoscaling": "autoscaling",
    "scaling": "application-autoscaling",
    "elbv2": "elbv2",
}


def state_of(note: dict[str, str], environment: str, now: datetime) -> dict[str, Any]:
    """Return asleep, since, go and sentence from the note."""
    kept = note.get("keep_awake_until", "")
    until = power.moment(kept, "The note keep_awake_until") if kept else None
    until = until if until and until > now else None
    words = {
        "sleep": f"{environment} sleeps since {note.get('since')}: run playbooks/wake.yml first.",
        "wake": f"{environment} is being woken since {note.get('since')}, and that came to no "
        "end: run "
        "playbooks/wake.yml again.",
    }
    if note.get("state") == "sleep" and not note.get("asleep"):
        words["sleep"] = (
            f"{environment} was being put to sleep since {note.get('since')}, and that came to "
            "no end: run "
            "playbooks/wake.yml, or playbooks/teardown.yml to go on."
        )
    awake = f"{environment} is awake" + (f", until {power.shown(until)} at least" if until else "")
    return {
        "asleep": "state" in note,
        "since": note.get("since", ""),
        "go": until is None,
        "sentence": words.get(note.get("state", ""), f"{awake}."),
    }


def keep_awake(note: dict[str, str], until: str, now: datetime) -> dict[str, str]:
    """Return the note with that time. Raises Refused where it is none, or over."""
    rest = {key: value for key, value in note.items() if key != "keep_awake_until"}
    if until == "none":
        return rest
    when = power.moment(until, "keep_awake_until")
    if when <= now:
        raise Refused(
            f"keep_awake_until is {until}, which is over: give a time to come, or none to take "
            "back what "
            f"was given. {power.NOTHING}"
        )
    return {**rest, "keep_awake_until": when.isoformat(timespec="seconds")}


def begin(want: dict[str, Any], night: Night, note: dict[str, str]) -> dict[str, str]:
    """Refuse what must not be; return the note with which the action begins. Raises Refused."""
    if want["intended"]:
        window = want["window_minutes"]
        power.refuse_late(
            want["intended"], window, night.now, f"{want['action']} of an environment"
        )
    if want["action"] == "wake":
        return {**note, "state": "wake"} if "state" in note else note
    inventories = Path(want["inventories"])
    power_guards.by_data(inventories, want["environment"])
    power_guards.by_account(client("sts", want["region"]), inventories, want["environment"])
    power_guards.by_resources(night.clients, want["environment"])
    # What can't be read is refused before the first change, not in the middle.
    rehearsal = Night(night.clients, night.environment, night.now, night.since, write=False)
    for step in (power_steps.sleep_services, power_steps.sleep_fleet):
        step(rehearsal)
    power_steps.sleep_databases(rehearsal, want["keep_snapshots"], [])
    if not state_of(note, want["environment"], night.now)["go"]:
        return note
    left = {key: value for key, value in note.items() if key != "keep_awake_until"}
    if left.get("state") == "sleep":
        return left  # a night that goes on, or one that a killed run began
    return {"state": "sleep", "since": night.now.isoformat(timespec="seconds")}


def end(action: str, note: dict[str, str]) -> dict[str, str]:
    """Return the note with which the action ends."""
    if action == "sleep":
        return {**note, "asleep": "yes"} if "state" in note else note
    return {key: value for key, value in note.items() if key == "keep_awake_until"}


def foundation(want: dict[str, Any]) -> dict[str, Any]:
    """Return the state of the stack that has the network. Raises botocore's errors."""
    answer = client("s3", want["region"]).get_object(
        Bucket=want["state_bucket"], Key=state_key(want["environment"], "foundation")
    )
    return json.loads(answer["Body"].read())


def step(want: dict[str, Any], night: Night) -> Outcome:
    """One look at one step. Raises Refused, botocore's errors."""
    if want["step"] == "databases" and want["action"] == "sleep":
        return power_steps.sleep_databases(night, want["keep_snapshots"], want["needed"])
    if want["step"] == "network":
        return power_network.forget(night, foundation(want))
    steps = {
        ("sleep", "services"): power_steps.sleep_services,
        ("sleep", "fleet"): power_steps.sleep_fleet,
        ("wake", "services"): power_steps.wake_services,
        ("wake", "fleet"): power_steps.wake_fleet,
        ("wake", "databases"): power_steps.wake_databases,
    }
    return steps[want["action"], want["step"]](night)


def run(want: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Return the module's result. Raises Refused, botocore's errors."""
    now, region = datetime.now(UTC), want["region"]
    book = Note(client("dynamodb", region), want["lock_table"], want["environment"])
    try:
        note = book.read()
    except Exception as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        note = {}  # before bootstrap there is no table, and nothing that could sleep
    since = datetime.fromisoformat(note["since"]) if "since" in note else now
    clients = {
        name: client(service, region)
        for name, service in SERVICES.items()
        if want["step"] != "state"
    }
    night = Night(clients, want["environment"], now, since, not check_mode)
    after, out = note, Outcome()
    if want["step"] == "keep_awake":
        after = keep_awake(note, want["awake_until"], now)
    elif want["step"] == "begin":
        after = begin(want, night, note)
    elif want["step"] == "end":
        after = end(want["action"], note)
    elif want["step"] != "state":
        out = step(want, night)
    if after != note and not check_mode:
        book.write(after)
    return {
        # The note, like a lock, is no part of what the run is about.
        "changed": bool(out.done) or (want["step"] == "keep_awake" and after != note),
        "done": out.done,
        "kept": out.kept,
        "warnings_found": out.warnings,
        "finished": not out.waiting or check_mode,
        "progress": ", ".join(out.waiting),
        **state_of(after, want["environment"], now),
    }


def main(make: Callable[..., Any] = AnsibleModule) -> None:
    module = make(
        argument_spec={
            "environment": {"type": "str", "required": True},
            "action": {"type": "str", "choices": ["sleep", "wake"], "default": "sleep"},
            "step": {
                "type": "str",
                "required": True,
                "choices": [
                    "state", "keep_awake", "begin", "services", "fleet", "databases", "network",
                    "end",
                ],
            },
            "awake_until": {"type": "str", "default": ""},
            "intended": {"type": "str", "default": ""},
            "window_minutes": {"type": "int", "default": 60},
            "keep_snapshots": {"type": "int", "default": 7},
            "needed": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 1800},
            "inventories": {"type": "path", "required": True},
            "lock_table": {"type": "str", "required": True},
            "state_bucket": {"type": "str", "default": ""},
            "region": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )  # fmt: skip
    require_boto3(module)
    try:
        result = run(module.params, module.check_mode)
    except Refused as error:
        module.fail_json(msg=str(error))
    except Exception as error:
        module.fail_json(msg=explain(error, f"Sleep and wake of {module.params['environment']}"))
    for warning in result.pop("warnings_found"):
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
