#!/usr/bin/python
"""Ansible module: who holds a database's connections, why, and what to do about it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils import connections, postgres
from ansible_collections.drydock.ops.plugins.module_utils.aws import (
    client,
    explain,
    require_boto3,
)
from ansible_collections.drydock.ops.plugins.module_utils.connections_decision import decide
from ansible_collections.drydock.ops.plugins.module_utils.ecs import DeploymentFailed, Service

DOCUMENTATION = r"""
module: database_diagnosis
short_description: Say who holds a database's connections and what to do about it
description:
  - Comes in as the master user with the secret that RDS manages, by the slots that RDS reserves
    for it, and reads C(pg_stat_activity); asks ECS whose the addresses are. Changes nothing.
  - The text of queries is not read, and the password is in no result.
  - Where not even a reserved slot is free, decides from what ECS says of the pools.
options:
  identifier: {description: RDS instance., type: str, required: true}
  max_connections:
    description: Connections that the instance allows; used where it can't be asked.
    type: int
    required: true
  alarm_percent: {description: Share of them from which the alarm is red., type: int, default: 80}
  cluster: {description: ECS cluster of the workloads., type: str, required: true}
  workloads:
    description: Names of the workloads that use the database.
    type: list
    elements: str
    required: true
  targets:
    description:
      - Of each workload its C(service_name) and C(container_name), as the platform stack puts
        them out.
    type: dict
    required: true
  pool_max:
    description: Connections of one task whose revision does not set DATABASE_POOL_MAX.
    type: int
    default: 10
  pool_min:
    description: Connections of one task at its start, where it does not set DATABASE_POOL_MIN.
    type: int
    default: 2
  proxy: {description: Address of the RDS Proxy; empty for none., type: str, default: ""}
  idle_in_transaction:
    description: Seconds from which a transaction left open is leaked.
    type: int
    default: 30
  idle:
    description: Seconds from which a session outside the workloads is leaked.
    type: int
    default: 60
  query: {description: Seconds from which a query is long., type: int, default: 300}
  roles:
    description: Roles whose sessions may be ended; empty for all but administrators.
    type: list
    elements: str
    default: []
  applications:
    description: Application names to keep to; empty for all.
    type: list
    elements: str
    default: []
  max_ended: {description: Most sessions to end., type: int, default: 50}
  end_active: {description: End sessions with long queries too., type: bool, default: false}
  patience: {description: Seconds to wait for a free slot., type: int, default: 15}
  watch:
    description: Workload whose leak is watched for instead of deciding at once.
    type: str
    default: ""
  watch_seconds: {description: Seconds to watch for it., type: int, default: 20}
  region: {description: AWS region., type: str, required: true}
attributes:
  check_mode: {support: full, details: Reads only.}
author: [Drydock]
"""

EXAMPLES = r"""
- name: Who holds the connections
  drydock.ops.database_diagnosis:
    identifier: drydock-dev
    max_connections: 100
    cluster: drydock-dev
    workloads: [trading_api]
    targets: "{{ stack_outputs.platform.workloads }}"
    region: us-east-1
  register: diagnosis
"""

RETURN = r"""
decision:
  description: Cause, action, because, plan, undo and to, as role runbook shows them.
  type: dict
  returned: success
change:
  description:
    - What the action needs. C(targets) are sessions to end, oldest first; C(workload) and
      C(environment) say whom to give which variables; C(watch) is the workload to restart if its
      leak comes back; C(follow_up) is what people have to do later.
  type: dict
  returned: success
table:
  description: Who holds connections, by role, application, origin and state, as lines of text.
  type: list
  returned: success
back:
  description: With O(watch), whether the workload's leak has come back.
  type: bool
  returned: success
"""

SAID = ("cause", "action", "because", "plan", "undo", "to")
STORM_SECONDS = 300
WATCH_POLL_SECONDS = 1
# What comes back within the time of watching is the same leak: from this many sessions on, and
# already when they rest for so many seconds, as they were seen to be leaked before.
LEAK_AGAIN = 3
WATCH_IDLE = 5


def addresses(tasks: list[dict[str, Any]]) -> frozenset[str]:
    """Return the private addresses of tasks in awsvpc mode."""
    return frozenset(
        detail["value"]
        for task in tasks
        for attachment in task.get("attachments", [])
        for detail in attachment.get("details", [])
        if detail["name"] == "privateIPv4Address"
    )


def stopped_by_themselves(tasks: list[dict[str, Any]], now: datetime) -> int:
    """Return how many tasks stopped lately for another reason than a deployment or scaling."""
    wanted = ("deployment", "Scaling activity", "stopped by the user")
    return sum(
        "stoppedAt" in task
        and (now - task["stoppedAt"]).total_seconds() < STORM_SECONDS
        and not any(word in task.get("stoppedReason", "") for word in wanted)
        for task in tasks
    )


def workload(ecs: Any, want: dict[str, Any], name: str) -> connections.Workload:
    """Return one workload as ECS runs it now. Raises DeploymentFailed where there is none."""
    known = want["targets"].get(name)
    if not known:
        raise DeploymentFailed(
            f"The platform stack knows no workload {name} (it knows "
            f"{', '.join(sorted(want['targets'])) or 'none'}): give one of these, or run "
            "playbooks/provision.yml --limit platform."
        )
    service = Service(ecs, want["cluster"], known["service_name"])
    now = service.describe()
    definition = service.definition(now["taskDefinition"])
    variables = {
        one["name"]: one["value"]
        for container in definition["containerDefinitions"]
        if container["name"] == known["container_name"]
        for one in container.get("environment", [])
    }
    stopped = service.tasks("STOPPED")
    return connections.Workload(
        name=name,
        addresses=addresses(service.tasks("RUNNING")),
        stopped=addresses(stopped),
        pool_max=int(variables.get("DATABASE_POOL_MAX", want["pool_max"])),
        pool_min=int(variables.get("DATABASE_POOL_MIN", want["pool_min"])),
        host=variables.get("DATABASE_HOST", ""),
        desired=now["desiredCount"],
        rolling=len(now["deployments"]) > 1,
        stopped_recently=stopped_by_themselves(stopped, datetime.now(UTC)),
    )


def resolve(host: str) -> frozenset[str]:
    """Return the addresses of a host; none where it is unknown, as a proxy being made."""
    try:
        return frozenset(entry[4][0] for entry in socket.getaddrinfo(host, None)) if host else (
            frozenset()
        )  # fmt: skip
    except OSError:
        return frozenset()


def gather(want: dict[str, Any]) -> connections.Facts:
    """Return what the decision needs. Raises DatabaseError, DeploymentFailed, botocore's errors."""
    ecs = client("ecs", want["region"])
    limit, reserved, found = want["max_connections"], 5, None
    try:
        login = postgres.master_login(want["identifier"], want["region"])
        with postgres.connect(login, want["patience"]) as connection:
            told = postgres.settings(connection)
            limit = told.pop("max_connections")
            reserved = sum(told.values())
            found = postgres.sessions(connection)
    except postgres.DatabaseFull:
        found = None
    return connections.Facts(
        max_connections=limit,
        reserved=reserved,
        alarm_at=-(-limit * want["alarm_percent"] // 100),
        sessions=found,
        workloads=[workload(ecs, want, one) for one in want["workloads"]],
        proxy=want["proxy"],
        proxy_addresses=resolve(want["proxy"]),
    )


def leak_is_back(want: dict[str, Any], bounds: connections.Bounds) -> bool:
    """Return whether a workload leaks again; watches until then or until the time is over."""
    shorter = min(bounds.idle_in_transaction, WATCH_IDLE)
    bounds = replace(bounds, idle_in_transaction=shorter)
    end = time.monotonic() + want["watch_seconds"]
    while True:
        found = connections.survey(gather(want), bounds)
        if sum(bool(one["leaked"]) and one["origin"] == want["watch"] for one in found) >= (
            LEAK_AGAIN
        ):
            return True
        if time.monotonic() >= end:
            return False
        time.sleep(WATCH_POLL_SECONDS)


def diagnose(want: dict[str, Any]) -> dict[str, Any]:
    """Return the module's result."""
    names = ("idle_in_transaction", "idle", "query", "roles", "applications", "max_ended")
    bounds = connections.Bounds(
        **{name: want[name] for name in names}, end_active=want["end_active"]
    )
    if want["watch"]:
        back = leak_is_back(want, bounds)
        said = "came back" if back else f"did not come back within {want['watch_seconds']} s"
        return {"changed": False, "back": back, "evidence": [f"the leak of {want['watch']} {said}"]}
    facts = gather(want)
    decision = decide(facts, bounds)
    because = decision["because"]
    rows = connections.table(connections.survey(facts, bounds))
    shown = [
        {**asdict(one), "addresses": sorted(one.addresses), "stopped": sorted(one.stopped)}
        for one in facts.workloads
    ]
    state = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "database": want["identifier"],
        "max_connections": facts.max_connections,
        "reserved": facts.reserved,
        "reachable": facts.sessions is not None,
        "connections": rows,
        "workloads": shown,
    }
    return {
        "changed": False,
        "back": False,
        "decision": {name: decision.pop(name) for name in SAID},
        "change": decision,
        "table": connections.lines(rows),
        "runbook_evidence": {"states": [state], "facts": because},
    }


def main(make: Callable[..., Any] = AnsibleModule) -> None:
    texts = {"type": "list", "elements": "str", "default": []}
    module = make(
        argument_spec={
            "identifier": {"type": "str", "required": True},
            "max_connections": {"type": "int", "required": True},
            "alarm_percent": {"type": "int", "default": 80},
            "cluster": {"type": "str", "required": True},
            "workloads": {"type": "list", "elements": "str", "required": True},
            "targets": {"type": "dict", "required": True},
            "pool_max": {"type": "int", "default": 10},
            "pool_min": {"type": "int", "default": 2},
            "proxy": {"type": "str", "default": ""},
            "idle_in_transaction": {"type": "int", "default": 30},
            "idle": {"type": "int", "default": 60},
            "query": {"type": "int", "default": 300},
            "roles": texts,
            "applications": texts,
            "max_ended": {"type": "int", "default": 50},
            "end_active": {"type": "bool", "default": False},
            "patience": {"type": "int", "default": 15},
            "watch": {"type": "str", "default": ""},
            "watch_seconds": {"type": "int", "default": 20},
            "region": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    require_boto3(module)
    postgres.require_psycopg(module)
    try:
        result = diagnose(module.params)
    except (postgres.DatabaseError, DeploymentFailed) as error:
        module.fail_json(msg=str(error))
    except Exception as error:
        module.fail_json(
            msg=explain(error, f"Asking who holds connections of {module.params['identifier']}")
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
