#!/usr/bin/python
"""Ansible module: give the running revision of a workload other variables, or restart it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils.aws import (
    client,
    explain,
    require_boto3,
)
from ansible_collections.drydock.ops.plugins.module_utils.ecs import (
    DeploymentFailed,
    Service,
    observe,
    primary_of,
    short,
    taken,
)
from ansible_collections.drydock.ops.plugins.module_utils.journal import Journal, JournalRefused
from ansible_collections.drydock.ops.plugins.module_utils.runs import Run

DOCUMENTATION = r"""
module: workload_variables
short_description: Change variables of a workload's running revision, or restart its tasks
description:
  - Registers the revision that runs with other environment variables and rolls it out; all else,
    the image and the secrets too, stays. A revision that has them already is left alone.
  - With O(restart) the same revision is rolled out anew, so that each task is replaced by a fresh
    one, as many at a time as the service's deployment configuration lets ECS.
  - Waits until the deployment that this started is complete.
  - The call that puts the revision before back is in the runbook's journal before any change.
options:
  cluster: {description: Name of the ECS cluster., type: str, required: true}
  service: {description: Name of the ECS service., type: str, required: true}
  container: {description: Container that the variables are for., type: str, required: true}
  variables: {description: Variables to set., type: dict, default: {}}
  restart: {description: Roll the revision out anew., type: bool, default: false}
  environment: {description: Environment whose journal is kept., type: str, required: true}
  lock_table: {description: DynamoDB table of locks and journal., type: str, required: true}
  wait_timeout: {description: Seconds to wait for the deployment., type: int, default: 600}
  region: {description: AWS region., type: str, required: true}
attributes:
  check_mode: {support: full, details: Shows the variables that would change.}
  diff_mode: {support: full}
author: [Drydock]
"""

EXAMPLES = r"""
- name: Lead the workload to the proxy
  drydock.ops.workload_variables:
    cluster: drydock-dev
    service: trading_api
    container: trading_api
    variables: {DATABASE_HOST: proxy.example}
    environment: dev
    lock_table: drydock-dev-tflock
    region: us-east-1
"""

RETURN = r"""
revision:
  description: The revision that runs now, or that would be replaced, as a short name.
  type: str
  returned: success
"""


def container_of(definition: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a container of a task definition. Raises DeploymentFailed where there is none."""
    for one in definition["containerDefinitions"]:
        if one["name"] == name:
            return one
    raise DeploymentFailed(
        f"The revision {short(definition['taskDefinitionArn'])} has no container {name}: the "
        "inventory and the platform stack differ; run playbooks/provision.yml --limit platform."
    )


def variables_of(container: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in container.get("environment", [])}


def changed_definition(
    definition: dict[str, Any], name: str, variables: dict[str, str]
) -> dict[str, Any]:
    """Return a definition ready to be registered, with the variables set in one container.

    Raises DeploymentFailed where a secret has the name of a variable: ECS takes only one of them.
    """
    wanted = taken(definition)
    container = next(one for one in wanted["containerDefinitions"] if one["name"] == name)
    clash = {one["name"] for one in container.get("secrets", [])} & set(variables)
    if clash:
        raise DeploymentFailed(
            f"{', '.join(sorted(clash))} of {name} is filled from a secret, so it can't be set as "
            "a variable: change the release in the inventory."
        )
    merged = {**variables_of(container), **variables}
    container["environment"] = [{"name": key, "value": merged[key]} for key in sorted(merged)]
    return wanted


def roll_out(want: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Return the module's result. Raises DeploymentFailed, JournalRefused, botocore's errors."""
    ecs = client("ecs", want["region"])
    service = Service(ecs, want["cluster"], want["service"])
    now = service.describe()
    before = now["taskDefinition"]
    answer = ecs.describe_task_definition(taskDefinition=before, include=["TAGS"])
    definition = answer["taskDefinition"]
    old = variables_of(container_of(definition, want["container"]))
    variables = {name: str(value) for name, value in want["variables"].items()}
    differ = {name: value for name, value in variables.items() if old.get(name) != value}
    wanted = changed_definition(definition, want["container"], differ)
    note = f"restart every task of {want['service']}\n" if want["restart"] else ""
    result: dict[str, Any] = {
        "changed": bool(differ or want["restart"]),
        "revision": short(before),
        "diff": {
            "before_header": f"variables of {want['service']} ({short(before)})",
            "after_header": f"variables of {want['service']} (a new revision)",
            "before": "".join(f"{name}={old.get(name, '')}\n" for name in sorted(differ)),
            "after": note + "".join(f"{name}={differ[name]}\n" for name in sorted(differ)),
        },
    }
    if check_mode or not result["changed"]:
        return result
    what = (
        f"{want['service']}: " + ", ".join(f"{name}={value}" for name, value in differ.items())
        if differ
        else f"restart the tasks of {want['service']} one after another"
    )
    journal = Journal(
        client("dynamodb", want["region"]), want["lock_table"], want["environment"], Run.current()
    )
    named = {"cluster": want["cluster"], "service": want["service"]}
    back = {
        "service": "ecs",
        "operation": "UpdateService",
        "parameters": {**named, "taskDefinition": before},
        "region": want["region"],
    }
    # Fresh tasks of the same revision need no way back.
    journal.begin(what, [back] if differ else None, keep=not differ)
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    revision = before
    if differ:
        tags = {"tags": answer["tags"]} if answer.get("tags") else {}
        made = ecs.register_task_definition(**wanted, **tags)
        revision = made["taskDefinition"]["taskDefinitionArn"]
    updated = ecs.update_service(**named, taskDefinition=revision, forceNewDeployment=True)
    watched = {
        "id": primary_of(updated["service"])["id"],
        "task_definition": revision,
        "previous": before,
        "image": container_of(definition, want["container"]).get("image", ""),
    }
    _wait(service, watched, want["wait_timeout"])
    journal.done(what)
    done = {"at": at, "what": f"{what} ({short(before)} to {short(revision)})"}
    return {
        **result,
        "revision": short(revision),
        "evidence": [f"deployment {watched['id']} of {short(revision)} is complete"],
        "runbook_evidence": {"actions": [{**done, "target": want["service"]}]},
    }


def _wait(service: Service, deployment: dict[str, Any], timeout: float) -> None:
    end = time.monotonic() + timeout
    while True:
        seen = observe(service, deployment, wait=max(0.0, min(20.0, end - time.monotonic())))
        if seen["finished"]:
            return
        deployment = seen["deployment"]
        if time.monotonic() >= end:
            raise DeploymentFailed(
                f"Deployment {deployment['id']} of {service.name} is not complete after "
                f"{timeout:g} s ({seen['progress']})."
            )


def main(make: Callable[..., Any] = AnsibleModule) -> None:
    module = make(
        argument_spec={
            "cluster": {"type": "str", "required": True},
            "service": {"type": "str", "required": True},
            "container": {"type": "str", "required": True},
            "variables": {"type": "dict", "default": {}},
            "restart": {"type": "bool", "default": False},
            "environment": {"type": "str", "required": True},
            "lock_table": {"type": "str", "required": True},
            "wait_timeout": {"type": "int", "default": 600},
            "region": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    require_boto3(module)
    try:
        result = roll_out(module.params, module.check_mode)
    except (DeploymentFailed, JournalRefused) as error:
        module.fail_json(msg=str(error))
    except Exception as error:
        module.fail_json(msg=explain(error, f"Changing {module.params['service']}"))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
