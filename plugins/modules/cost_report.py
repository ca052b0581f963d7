#!/usr/bin/python
"""Ansible module: what an environment costs a month, from its states or from a plan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils import cost_pages, prices
from ansible_collections.drydock.ops.plugins.module_utils.aws import (
    client,
    error_code,
    explain,
    require_boto3,
)

DOCUMENTATION = r"""
module: cost_report
short_description: Say what an environment costs a month
description:
  - Prices the resources of states (O(bucket)) or of a plan (O(plan)) with the dated price table and
    the assumptions about usage in O(tables), by stack, service and tag.
  - Writes a page with a chart and a Markdown section into O(folder). Starts no Terraform.
  - A resource without a known price is listed, never counted as zero.
options:
  environment: {description: Name of the environment., type: str, required: true}
  tables: {description: 'Folder of prices.yml, usage.yml and free.yml.', type: path, required: true}
  stacks: {description: Stacks to look at., type: list, elements: str, required: true}
  bucket: {description: Bucket of the states., type: str}
  region: {description: Region of that bucket., type: str}
  plan:
    description: Output of C(terraform show -json) of a plan that holds the stacks as modules.
    type: path
  tasks:
    description: ECS service → its least number of tasks, for services that were never released.
    type: dict
    default: {}
  fleet_sizes:
    description: Numbers of nodes for which the total is told too, whatever the fleet's size is.
    type: list
    elements: int
    default: []
  folder: {description: Where the page and the Markdown go., type: path, required: true}
attributes:
  check_mode:
    support: full
    details: Writes no files.
author: [Drydock]
"""

EXAMPLES = r"""
- name: Say what dev costs
  drydock.ops.cost_report:
    environment: dev
    tables: costs
    stacks: [bootstrap, foundation]
    bucket: drydock-dev-tfstate-111111111111
    region: us-east-1
    folder: .drydock/costs/dev
"""

RETURN = r"""
cost:
  description:
    - C(total), C(assumed), C(by_stack), C(by_service), C(by_tag), C(free), C(unknown).
    - C(by_nodes) has C(total) and C(assumed) by each of O(fleet_sizes).
  type: dict
  returned: success
lines: {description: A short table., type: list, elements: str, returned: success}
page: {description: The page with the chart., type: str, returned: success}
markdown: {description: The Markdown., type: str, returned: success}
"""


def from_states(
    s3: Any, bucket: str, environment: str, stacks: list[str]
) -> tuple[dict[str, list[prices.Resource]], list[str]]:
    """Return what each stack that has a state holds, and the names of those that have none."""
    found, missing = {}, []
    for stack in stacks:
        try:
            answer = s3.get_object(Bucket=bucket, Key=f"{environment}/{stack}.tfstate")
        except Exception as error:
            if error_code(error) != "NoSuchKey":
                raise
            missing.append(stack)
            continue
        state = json.loads(answer["Body"].read())
        found[stack] = prices.resources_of(state, stack=stack)
    return found, missing


def price(
    parts: dict[str, list[prices.Resource]], table: prices.Prices, nodes: int | None = None
) -> prices.Cost:
    """Return what the parts cost, which are priced each for itself; with so many nodes if given."""
    sized = {
        name: part if nodes is None else prices.with_nodes(part, nodes)
        for name, part in parts.items()
    }
    costs = {name: prices.cost_of(part, table) for name, part in sized.items()}
    return costs[""] if "" in costs else prices.together(costs)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "environment": {"type": "str", "required": True},
            "tables": {"type": "path", "required": True},
            "stacks": {"type": "list", "elements": "str", "required": True},
            "bucket": {"type": "str"},
            "region": {"type": "str"},
            "plan": {"type": "path"},
            "tasks": {"type": "dict", "default": {}},
            "fleet_sizes": {"type": "list", "elements": "int", "default": []},
            "folder": {"type": "path", "required": True},
        },
        mutually_exclusive=[("bucket", "plan")],
        required_one_of=[("bucket", "plan")],
        required_together=[("bucket", "region")],
        supports_check_mode=True,
    )
    want = module.params
    environment, stacks = want["environment"], want["stacks"]
    missing: list[str] = []
    try:
        table = prices.load(Path(want["tables"]), environment, want["tasks"])
        if want["plan"]:
            document = json.loads(Path(want["plan"]).read_text())
            parts = {"": prices.resources_of(document, stacks=stacks)}
            about = "From a plan of the whole environment, made from nothing."
        else:
            require_boto3(module)
            s3 = client("s3", want["region"])
            parts, missing = from_states(s3, want["bucket"], environment, stacks)
            about = "From the states of the stacks that are provisioned."
        cost = price(parts, table)
        by_nodes = {count: price(parts, table, count) for count in want["fleet_sizes"]}
    except prices.PriceError as error:
        module.fail_json(msg=str(error))
    except (OSError, json.JSONDecodeError) as error:
        module.fail_json(msg=f"{want['plan']} can't be read as a plan's JSON: {error}")
    except Exception as error:
        module.fail_json(msg=explain(error, f"States of {environment}"))
    if missing:
        about += f" Not provisioned, so not in it: {', '.join(missing)}."
    folder = Path(want["folder"])
    page, text = folder / f"costs-{environment}.html", folder / f"costs-{environment}.md"
    if not module.check_mode:
        folder.mkdir(parents=True, exist_ok=True)
        page.write_text(cost_pages.html(cost, environment, about))
        text.write_text(cost_pages.markdown(cost, environment, table.about, by_nodes))
    facts = cost_pages.facts(cost, by_nodes)
    module.exit_json(
        changed=False,
        cost=facts,
        lines=cost_pages.lines(cost, environment, by_nodes),
        missing=missing,
        page=str(page),
        markdown=str(text),
        evidence=[f"cost: {facts['total']} USD a month, {len(cost.unknown)} without a price"],
    )


if __name__ == "__main__":
    main()
