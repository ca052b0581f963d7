#!/usr/bin/python
"""Ansible module: why a service on ECS fails, and what to do about it. Changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils import diagnosis, stops
from ansible_collections.drydock.ops.plugins.module_utils.aws import (
    client,
    error_code,
    explain,
    require_boto3,
)
from ansible_collections.drydock.ops.plugins.module_utils.ecs import DeploymentFailed
from ansible_collections.drydock.ops.plugins.module_utils.observation import Observation
from ansible_collections.drydock.ops.plugins.module_utils.runs import moment
from ansible_collections.drydock.ops.plugins.module_utils.service_facts import (
    ARGUMENTS,
    ServiceFacts,
)

DOCUMENTATION = r"""
module: service_diagnosis
short_description: Tell why a service on ECS fails, from metrics, logs, deployments and tasks
description:
  - Reads the service's metrics, the newest lines of its tasks' logs, its deployments, the health
    of its targets and the tasks that stopped, and weighs the known causes against them.
  - With O(question=errors) it tells a bad deployment, sick or flapping tasks, an exhausted
    dependency and overload apart; with O(question=tasks) it names why tasks do not start or do
    not stay up, in ECS's words and the tasks' own.
  - Reads only, also outside of check mode.
options:
  question: {description: What to find out., type: str, choices: [errors, tasks], required: true}
  workload: {description: Name of the workload., type: str, required: true}
  command:
    description: How runbooks are started here, up to the file; for the advice that is given.
    type: str
    required: true
  cluster: {description: Name of the ECS cluster., type: str, required: true}
  service: {description: Name of the ECS service., type: str, required: true}
  target_group_arn:
    description: Target group of the tasks; empty for a workload without clients.
    type: str
    default: ""
  alternate_target_group_arn: {description: Its other group., type: str, default: ""}
  alternate_target_group_suffix: {description: That as metrics name it., type: str, default: ""}
  target_group_suffix:
    description: The target group as metrics name it, C(targetgroup/NAME/ID).
    type: str
    default: ""
  load_balancer:
    description: The load balancer as metrics name it, C(app/NAME/ID).
    type: str
    required: true
  repository_url: {description: Address of the workload's images., type: str, required: true}
  repository_name: {description: Their repository in ECR., type: str, required: true}
  database:
    description: The RDS instance that the workload needs, its identifier and max_connections;
      empty for none.
    type: dict
    default: {}
  max_share:
    description: The greatest part of its tasks that may be replaced in one run.
    type: float
    default: 0.5
  period: {description: Seconds between two values of its metrics., type: int, default: 60}
  region: {description: AWS region., type: str, required: true}
attributes:
  check_mode: {support: full, details: Changes nothing anyway.}
author: [Drydock]
"""

EXAMPLES = r"""
- name: Diagnose
  drydock.ops.service_diagnosis:
    question: errors
    workload: hello
    command: ansible-playbook -i inventories/dev
    cluster: drydock-dev
    service: hello
    target_group_arn: "{{ stack_outputs.platform.workloads.hello.target_group_arn }}"
    target_group_suffix: "{{ stack_outputs.platform.workloads.hello.target_group_arn_suffix }}"
    load_balancer: "{{ stack_outputs.platform.load_balancer_arn_suffix }}"
    repository_url: "{{ stack_outputs.platform.workloads.hello.repository_url }}"
    repository_name: "{{ stack_outputs.platform.workloads.hello.repository_name }}"
    region: us-east-1
"""

RETURN = r"""
decision:
  description: >-
    cause, action (rollback, restart, scale, hand_over, none), because, plan, undo, to;
    and what the action needs, definition, tasks, count.
  type: dict
  returned: success
current:
  description: Revision that the service runs, as a short name.
  type: str
  returned: success
maximum:
  description: The most tasks that autoscaling lets the service have.
  type: int
  returned: success
seen:
  description: The figures behind it, in sentences.
  type: list
  elements: str
  returned: success
"""

DEATHS = 10  # stopped tasks that are looked at
SPEAKING = 3  # of which the last lines are read
LAST_LINES = 4


def deaths(facts: ServiceFacts, current: str) -> list[stops.Death]:
    """Return the newest tasks that ended by themselves, with their own last words."""
    found = []
    for task in facts.stopped():
        ended = facts.ended(task)
        if len(found) >= DEATHS or not ended.by_itself or ended.definition != current:
            continue
        started = task.get("startedAt")
        lived = max(0.0, ended.at - started.timestamp()) if started else 0.0
        exits = [
            one["exitCode"] for one in task.get("containers", []) if one.get("exitCode") is not None
        ]
        reasons = [one["reason"] for one in task.get("containers", []) if one.get("reason")]
        words = []
        if len(found) < SPEAKING and started:
            words = facts.log(task, 0, limit=LAST_LINES)
        found.append(
            stops.Death(
                ended,
                lived,
                next((code for code in exits if code), exits[0] if exits else None),
                "; ".join(reasons),
                [stops.shorten(line) for line in words],
            )
        )
    return found


def needs(facts: ServiceFacts, seen: Observation) -> dict[str, stops.Needs]:
    """Return what the running revision and those before it need in order to start."""
    names = list(dict.fromkeys([seen.current, *(one.definition for one in seen.releases)]))
    found = {}
    for name in names:
        definition = facts.definition(name)
        containers = definition["containerDefinitions"]
        found[name] = stops.Needs(
            images=frozenset(one["image"] for one in containers),
            secrets=frozenset(
                secret["valueFrom"] for one in containers for secret in one.get("secrets", [])
            ),
            memory=int(definition.get("memory") or 0),
        )
    return found


def sentences(seen: Observation) -> list[str]:
    """Return the figures of an observation as people read them."""

    def figure(value: float | None, unit: str) -> str:
        return "no data" if value is None else f"{value:.3g}{unit}"

    since = "is not seen in the metrics"
    if seen.began is not None:
        since = f"began {seen.at - seen.began:.0f} s ago ({moment(seen.began)})"
    targets = ", ".join(f"{task.id[:8]} {task.target}" for task in seen.tasks) or "none"
    said = [
        f"what is wrong {since}",
        *(
            f"{name} {figure(one.now, unit)}, before {figure(one.before, unit)}"
            for name, one, unit in (
                ("5xx answers", seen.share, " %"),
                ("requests", seen.requests, "/s"),
                ("latency p99", seen.latency, " s"),
                ("CPU", seen.cpu, " %"),
            )
        ),
        f"5xx since then: {seen.target_errors} from tasks, {seen.balancer_errors} from the load "
        "balancer itself (all of its workloads)",
        f"tasks: {targets}; {seen.desired} wanted, at most {seen.maximum}",
        f"failed requests say: {seen.most() or ('nothing' if seen.logs else 'no log was read')}",
    ]
    if seen.limit:
        said.append(f"database connections {seen.connections:.0f} of {seen.limit:.0f}")
    for one in seen.releases[:4]:
        served = "" if one.share is None else f", served with {one.share:.1f} % of 5xx as a rule"
        lacks = f", but {one.lacks}" if one.lacks else ""
        said.append(f"{one.definition} {one.status} {moment(one.started)}{served}{lacks}")
    return said


def answer(want: dict[str, Any], facts: ServiceFacts) -> dict[str, Any]:
    """Return the module's result."""
    seen = facts.observe()
    if want["question"] == "tasks":
        sick = diagnosis.sick_tasks(seen, want["max_share"])
        ended = deaths(facts, seen.current)
        found = stops.diagnose(seen, ended, needs(facts, seen), want["workload"], sick)
        decision = stops.decide(seen, found)
    else:
        decision = diagnosis.decide(seen, want["workload"], want["command"], want["max_share"])
    said = [*sentences(seen), *facts.notes]
    figures = asdict(seen)
    return {
        "changed": False,
        "decision": decision,
        "current": seen.current,
        "maximum": seen.maximum,
        "seen": said,
        "runbook_evidence": {"facts": [{"seen": said, "service": figures}]},
    }


def main(make: Callable[..., Any] = AnsibleModule) -> None:
    module = make(
        argument_spec={
            **ARGUMENTS,
            "question": {"type": "str", "choices": ["errors", "tasks"], "required": True},
            "max_share": {"type": "float", "default": 0.5},
            "period": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    require_boto3(module)
    want = module.params
    try:
        facts = ServiceFacts(lambda service: client(service, want["region"]), want, time.time())
        result = answer(want, facts)
    except DeploymentFailed as error:
        module.fail_json(msg=str(error))
    except Exception as error:
        if error_code(error) == "ClusterNotFoundException":
            module.fail_json(
                msg=f"There is no cluster {want['cluster']}: "
                "run playbooks/provision.yml --limit platform first."
            )
        module.fail_json(msg=explain(error, f"Diagnosis of {want['service']}"))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
