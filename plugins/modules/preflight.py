#!/usr/bin/python
"""Ansible module: everything that can be known to be wrong before anything is changed."""

from __future__ import annotations

import ipaddress
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils.aws import (
    CREDENTIALS_CURE,
    HAS_BOTO3,
    client,
    error_code,
    explain,
)

DOCUMENTATION = r"""
module: preflight
short_description: Check inventory, tools, network ranges, workloads and AWS account
description:
  - Changes nothing. All that is wrong with the operator's machine and the inventory is said at
    once; the AWS account is asked only when that is right.
options:
  environment:
    description: Environment that was asked for; empty if the inventory names none.
    type: str
    default: ''
  environments:
    description: All known environments, each with C(account_id) and C(vpc_cidr).
    type: dict
    required: true
  account_id: {description: Account that the credentials must belong to., type: str, default: ''}
  region: {description: AWS region., type: str, default: ''}
  vpc_cidr: {description: Range of this environment's VPC., type: str, default: ''}
  tools:
    description: Programs that are needed, with the lowest version that will do.
    type: dict
    default: {}
  workloads:
    description: Definition of each workload by host.
    type: dict
    default: {}
  workload_files: {description: Inventory file of each workload by host., type: dict, default: {}}
  max_connections:
    description: Connections that the database takes, into which what the workloads may open must
      fit; 0 where it is not known.
    type: int
    default: 0
  project_dir:
    description: Folder that workload contexts are relative to.
    type: path
    required: true
attributes:
  check_mode:
    support: full
author: [Drydock]
"""

EXAMPLES = r"""
- name: Check before any change
  drydock.ops.preflight:
    environment: dev
    environments: {dev: {account_id: "111111111111", vpc_cidr: 10.20.0.0/16}}
    account_id: "111111111111"
    region: us-east-1
    vpc_cidr: 10.20.0.0/16
    tools: {terraform: 1.11.0}
    project_dir: .
"""

RETURN = r"""
caller:
  description: ARN of the caller.
  type: str
  returned: success
"""

INSTALL = {
    "terraform": "see https://developer.hashicorp.com/terraform/install, or run `make setup`, "
    "which fetches it",
    "podman": "on Debian: apt-get install --no-install-recommends podman",
    "git": "on Debian: apt-get install --no-install-recommends git",
}
REFUSED = {
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
}
# Fields without which neither Terraform nor a release could go on, with what they must be.
WORKLOAD_FIELDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "context": (str, "the folder with its Dockerfile, for example apps/hello"),
    "port": (int, "the port that its container listens on, for example 8080"),
    "path_patterns": (
        list,
        'the paths that it serves, for example ["/*"] (without clients: health_command instead)',
    ),
    "priority": (int, "its place among the load balancer's rules, for example 100"),
    "health_path": (str, "the path that answers 200 while it lives, for example /health"),
    "desired_count": (int, "the number of tasks to start with, for example 2"),
    "min_count": (int, "the fewest tasks that autoscaling leaves running, for example 2"),
    "max_count": (int, "the most tasks that autoscaling or a runbook starts, for example 4"),
}


# Of these a workload that checks itself has none, and so no clients.
CLIENT_FIELDS = ("port", "path_patterns", "priority", "health_path")


# Of the database's connections, what is left for operators, its own upkeep and other clients.
OWN_SHARE = 0.9


def check_connections(workloads: dict[str, Any], limit: int) -> list[str]:
    """Return what is wrong with the connections that all tasks together may open.

    limit: the database's max_connections; 0 where the inventory does not say.
    """
    pools: dict[str, int] = {}
    problems = []
    for host, definition in workloads.items():
        if not isinstance(definition, dict) or definition.get("database") is not True:
            continue
        one, tasks = definition.get("connections"), definition.get("max_count")
        if not isinstance(one, int) or isinstance(one, bool) or one < 1:
            problems.append(
                f"The workload {host} has a database, but workload.connections is {one!r}: give "
                "what each of its tasks may open, and hand it to the program by "
                "release.environment."
            )
        elif isinstance(tasks, int):
            pools[host] = one * tasks
    if limit and sum(pools.values()) > OWN_SHARE * limit:
        shown = ", ".join(f"{host} {count}" for host, count in pools.items())
        problems.append(
            f"At max_count the workloads may open {sum(pools.values())} connections ({shown}), but "
            f"the database takes {limit}, of which a tenth is not theirs: lower "
            "workload.connections or max_count, or raise database.max_connections."
        )
    return problems


def fields_of(definition: dict[str, Any]) -> dict[str, tuple[type | tuple[type, ...], str]]:
    """Return which fields a workload must have: without clients not those that lead them to it."""
    if definition.get("path_patterns") or not definition.get("health_command"):
        return WORKLOAD_FIELDS
    return {name: one for name, one in WORKLOAD_FIELDS.items() if name not in CLIENT_FIELDS}


def check_environment(environment: str, environments: dict[str, Any]) -> list[str]:
    """Return what is wrong with the environment's name."""
    known = ", ".join(environments)
    if not environment:
        return [
            f"The inventory is unknown or names no environment: give one of {known}, "
            "for example -i inventories/dev."
        ]
    if environment not in environments:
        return [
            f'The environment "{environment}" is unknown: give one of {known}, or describe it in '
            "inventories/common/vars/environments.yml."
        ]
    return []


def check_cidr(environment: str, vpc_cidr: str, environments: dict[str, Any]) -> list[str]:
    """Return what is wrong with the VPC's range, alone and beside the other environments'."""
    try:
        mine = ipaddress.ip_network(vpc_cidr)
    except ValueError as error:
        return [
            f'vpc_cidr of {environment} is "{vpc_cidr}", which is not a network ({error}): give '
            "one "
            "such as 10.20.0.0/16."
        ]
    if mine.version != 4 or not 16 <= mine.prefixlen <= 24:
        return [
            f"vpc_cidr of {environment} is {vpc_cidr}, which cannot hold the subnets of the VPC: "
            "give "
            "an IPv4 range from /16 to /24."
        ]
    problems = []
    for name, other in environments.items():
        if name == environment:
            continue
        try:
            theirs = ipaddress.ip_network(other["vpc_cidr"])
        except ValueError as error:
            problems.append(
                f'vpc_cidr of {name} is "{other["vpc_cidr"]}", which is not a network ({error}): '
                "mend it in inventories/common/vars/environments.yml."
            )
            continue
        if mine.overlaps(theirs):
            problems.append(
                f"vpc_cidr of {environment} ({vpc_cidr}) overlaps that of {name} "
                f"({other['vpc_cidr']}), so the two could never be connected: choose a range that "
                "no "
                "environment of inventories/common/vars/environments.yml has."
            )
    return problems


def check_shell(variables: dict[str, str]) -> list[str]:
    """Return the shell's variables that would steer Terraform or a client past the inventory."""
    steering = sorted(
        name
        for name in variables
        if name.startswith(("TF_VAR_", "TF_CLI_ARGS", "AWS_ENDPOINT_URL_"))
    )
    if not steering:
        return []
    return [
        f"The shell sets {', '.join(steering)}, which would be read besides the inventory: "
        f"`unset {' '.join(steering)}` and put what they say into the inventory."
    ]


def check_tool(name: str, minimum: str) -> list[str]:
    """Return what is wrong with a program on PATH: absent, broken or older than minimum."""
    cure = INSTALL.get(name, "install it and put it on PATH")
    try:
        done = subprocess.run(
            [name, "--version"],
            env={**os.environ, "CHECKPOINT_DISABLE": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    except FileNotFoundError:
        return [
            f"{name} is not on PATH, and this playbook needs version {minimum} or newer: {cure}."
        ]
    except (OSError, subprocess.TimeoutExpired) as error:
        return [f"{name} does not start ({error}): {cure}."]
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", done.stdout)
    if done.returncode or not found:
        said = (done.stderr or done.stdout).strip().partition("\n")[0]
        return [f"{name} --version failed ({said or f'exit {done.returncode}'}): {cure}."]
    version = tuple(int(part or 0) for part in found.groups())
    wanted = tuple(int(part) for part in (*minimum.split("."), "0", "0")[:3])
    if version < wanted:
        return [f"{name} is {found.group(0)}, and this playbook needs {minimum} or newer: {cure}."]
    return []


def check_workloads(
    workloads: dict[str, Any], files: dict[str, str], project_dir: Path
) -> list[str]:
    """Return what is wrong with the definitions of workloads, naming file and field."""
    problems = []
    priorities: dict[Any, str] = {}
    for host, definition in workloads.items():
        file = Path(files.get(host) or "its inventory file")
        file = file.relative_to(project_dir) if file.is_relative_to(project_dir) else file
        if not isinstance(definition, dict) or not definition:
            problems.append(f"{file}: the workload {host} has no definition: give it `workload:`.")
            continue
        for field, (kind, meaning) in fields_of(definition).items():
            value = definition.get(field)
            if value in (None, "", []):
                problems.append(
                    f"{file}: the workload {host} has no workload.{field}: give {meaning}."
                )
            elif not isinstance(value, kind) or isinstance(value, bool):
                problems.append(
                    f'{file}: workload.{field} of {host} is "{value}", not '
                    f"{meaning.partition(',')[0]}."
                )
        context = definition.get("context")
        if (
            context
            and isinstance(context, str)
            and not (project_dir / context / "Dockerfile").is_file()
        ):
            problems.append(
                f"{file}: workload.context of {host} is {context}, where there is no Dockerfile "
                "to make "
                "its image from: correct the folder or add the file."
            )
        priority = definition.get("priority")
        if priority is None:
            continue
        if priority in priorities:
            problems.append(
                f"{file}: workload.priority of {host} is {priority}, which {priorities[priority]} "
                "has "
                "too: give each workload its own."
            )
        priorities[priority] = host
    return problems


def check_account(account_id: str, environment: str, region: str) -> tuple[str, list[str]]:
    """Ask AWS who calls. Returns (the caller's ARN, what is wrong)."""
    if not HAS_BOTO3:
        return "", [
            "boto3 is not installed for the Python that runs Ansible: install the project's "
            "requirements.txt into it (`make setup`)."
        ]
    try:
        sts = client("sts", region, attempts=1, timeout=5)
        caller = sts.get_caller_identity()
    except Exception as error:
        if error_code(error) in REFUSED:
            return "", [
                f"AWS refused the credentials for {environment} ({error_code(error)}): they are "
                "wrong or "
                f"have expired; {CREDENTIALS_CURE}."
            ]
        return "", [explain(error, f"The account of {environment} could not be checked")]
    if caller["Account"] != account_id:
        return "", [
            f"The credentials ({caller['Arn']}) belong to account {caller['Account']}, but "
            f"{environment} is "
            f"account {account_id}: {CREDENTIALS_CURE}, of that account."
        ]
    return caller["Arn"], []


def main(make: Callable[..., Any] = AnsibleModule) -> None:
    module = make(
        argument_spec={
            "environment": {"type": "str", "default": ""},
            "environments": {"type": "dict", "required": True},
            "account_id": {"type": "str", "default": ""},
            "region": {"type": "str", "default": ""},
            "vpc_cidr": {"type": "str", "default": ""},
            "tools": {"type": "dict", "default": {}},
            "workloads": {"type": "dict", "default": {}},
            "workload_files": {"type": "dict", "default": {}},
            "max_connections": {"type": "int", "default": 0},
            "project_dir": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    want = module.params
    problems = check_environment(want["environment"], want["environments"])
    if not problems:
        for name, minimum in want["tools"].items():
            problems += check_tool(name, str(minimum))
        problems += check_cidr(want["environment"], want["vpc_cidr"], want["environments"])
        problems += check_shell(dict(os.environ))
        problems += check_workloads(
            want["workloads"], want["workload_files"], Path(want["project_dir"])
        )
        problems += check_connections(want["workloads"], want["max_connections"])
    caller = ""
    if not problems:
        caller, problems = check_account(want["account_id"], want["environment"], want["region"])
    if problems:
        module.fail_json(msg=f"{' '.join(problems)} Nothing was changed.")
    module.exit_json(changed=False, caller=caller, environment=want["environment"])


if __name__ == "__main__":
    main()
