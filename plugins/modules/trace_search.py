#!/usr/bin/python
"""Ansible module: one trace in the logs of all workloads. Changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils.aws import (
    client,
    error_code,
    explain,
    require_boto3,
)
from ansible_collections.drydock.ops.plugins.module_utils.runs import moment
from ansible_collections.drydock.ops.plugins.module_utils.traces import (
    Line,
    found_sentence,
    line_of,
    minutes,
    nothing_sentence,
    time_line,
    trace_id,
)

DOCUMENTATION = r"""
module: trace_search
short_description: Follow one request through the logs of the workloads
description:
  - Searches CloudWatch Logs for the lines of JSON whose C(trace_id) is the one given, in a window
    that ends now, and puts them into one time line.
  - Of a workload at most 500 lines are told, the oldest of the window.
  - Reads only, also outside of check mode.
options:
  trace:
    description: The trace as 32 hex digits, in X-Ray's form (C(1-)8C(-)24) or as a traceparent.
    type: str
    required: true
  minutes:
    description: How far to look back, a whole number from 1 to 1440.
    type: str
    default: "60"
  groups: {description: Workload to its log group., type: dict, required: true}
  region: {description: AWS region., type: str, required: true}
attributes:
  check_mode: {support: full, details: Changes nothing anyway.}
author: [Drydock]
"""

EXAMPLES = r"""
- name: Follow a request
  drydock.ops.trace_search:
    trace: 1-5759e988-bd862e3fe1be46a994272793
    groups: {order: /drydock-dev/order, product: /drydock-dev/product}
    region: us-east-1
  register: trace_found
"""

RETURN = r"""
trace_id: {description: The trace as 32 hex digits., type: str, returned: success}
since: {description: Begin of the window (ISO 8601 in UTC)., type: str, returned: success}
until: {description: End of the window (ISO 8601 in UTC)., type: str, returned: success}
workloads:
  description: Workload to how many lines it has of the trace, of those that have any.
  type: dict
  returned: success
lines:
  description: The time line as a table, the oldest first, under its headings; empty if none.
  type: list
  elements: str
  returned: success
searched:
  description: The log groups that were searched.
  type: list
  elements: str
  returned: success
missing:
  description: Log groups that are not there.
  type: list
  elements: str
  returned: success
sentences:
  description: What was found, or that nothing was and where it was looked for.
  type: list
  elements: str
  returned: success
"""

MOST = 500
_AT_ONCE = 4


def search(
    logs: Any, trace: str, workload: str, group: str, window: tuple[float, float]
) -> list[Line] | None:
    """Return a workload's lines of a trace, MOST + 1 of them at most; None: there is no such group.

    window: begin and end in seconds since the epoch. Raises what boto3 raises.
    """
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=group,
        startTime=int(window[0] * 1000),
        endTime=int(window[1] * 1000),
        # As a phrase: anywhere in a line. Where in it, line_of judges.
        filterPattern=f'"{trace}"',
    )
    found = (line_of(trace, workload, event) for page in pages for event in page["events"])
    try:
        return list(islice((one for one in found if one), MOST + 1))
    except Exception as error:
        if error_code(error) == "ResourceNotFoundException":
            return None
        raise


def main(make: Callable[..., Any] = AnsibleModule) -> None:
    module = make(
        argument_spec={
            "trace": {"type": "str", "required": True},
            "minutes": {"type": "str", "default": "60"},
            "groups": {"type": "dict", "required": True},
            "region": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    require_boto3(module)
    groups: dict[str, str] = module.params["groups"]
    try:
        trace = trace_id(module.params["trace"])
        back = minutes(module.params["minutes"])
    except ValueError as error:
        module.fail_json(msg=str(error))
    end = time.time()
    window = (end - back * 60, end)
    try:
        logs = client("logs", module.params["region"])
        caller = client("sts", module.params["region"]).get_caller_identity()
        with ThreadPoolExecutor(_AT_ONCE) as readers:
            answers = list(
                readers.map(lambda one: search(logs, trace, *one, window), groups.items())
            )
    except Exception as error:
        module.fail_json(msg=explain(error, f"Search for trace {trace} in the logs"))
    of = {name: found for name, found in zip(groups, answers, strict=True) if found is not None}
    lines = [line for found in of.values() for line in found[:MOST]]
    searched = [groups[name] for name in of]
    missing = [group for name, group in groups.items() if name not in of]
    sentences = [
        found_sentence(trace, lines) if lines else nothing_sentence(trace, searched, *window)
    ]
    sentences += [f"There is no log group {group}: it was not searched." for group in missing]
    sentences += [
        f"Of {name} only the first {MOST} lines are told: there are more."
        for name, found in of.items()
        if len(found) > MOST
    ]
    module.exit_json(
        changed=False,
        trace_id=trace,
        since=moment(window[0]),
        until=moment(window[1]),
        workloads={name: len(found[:MOST]) for name, found in of.items() if found},
        lines=time_line(lines) if lines else [],
        searched=searched,
        missing=missing,
        sentences=sentences,
        caller=caller["Arn"],
        evidence=sentences,
    )


if __name__ == "__main__":
    main()
