#!/usr/bin/python
"""Ansible module: what lies among the dead letters, and why. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils import postgres
from ansible_collections.drydock.ops.plugins.module_utils.aws import (
    client,
    explain,
    require_boto3,
)
from ansible_collections.drydock.ops.plugins.module_utils.dead_letters import (
    Letters,
    Reason,
    decide,
    sentences,
)
from ansible_collections.drydock.ops.plugins.module_utils.ecs import (
    DeploymentFailed,
    Service,
    primary_of,
    setting,
    short,
)

DOCUMENTATION = r"""
module: dead_letter_diagnosis
short_description: Tell why events lie among the dead letters, and whether they may be redriven
description:
  - Groups the events that were refused and not redriven since by their reason, out of the
    consumer's own table (events.rejected), and counts the letters in the queue without receiving
    any.
  - Holds the reasons against the release that runs. One that it would refuse again is not mended.
  - Reads only, also outside of check mode.
options:
  cluster: {description: Name of the ECS cluster., type: str, required: true}
  service: {description: ECS service of the consumer., type: str, required: true}
  container: {description: Its container., type: str, required: true}
  workload: {description: The consumer as the inventory names it., type: str, required: true}
  command: {description: How playbooks are started here., type: str, required: true}
  queue_url: {description: Queue of the dead letters., type: str, required: true}
  identifier: {description: RDS instance with the consumer's table., type: str, required: true}
  max_letters: {description: Letters that one run may redrive., type: int, default: 1000}
  period: {description: Seconds between two values of its metrics., type: int, default: 60}
  region: {description: AWS region., type: str, required: true}
attributes:
  check_mode: {support: full, details: Changes nothing anyway.}
author: [Drydock]
"""

EXAMPLES = r"""
- name: Diagnose
  drydock.ops.dead_letter_diagnosis:
    cluster: drydock-dev
    service: consumer
    container: consumer
    workload: consumer
    command: ansible-playbook -i inventories/dev
    queue_url: "{{ stack_outputs.streaming.dead_letter_queue_url }}"
    identifier: "{{ stack_outputs.data.database_identifier }}"
    region: us-east-1
"""

RETURN = r"""
decision:
  description: cause, action (none, redrive, hand_over), because, plan, undo, to.
  type: dict
  returned: success
current: {description: Revision that it runs, as a short name., type: str, returned: success}
waiting: {description: Letters that can be received., type: int, returned: success}
"""

RECENT_PERIODS = 3
# What was refused since the running release is there alone (%(since)s), of late (%(recent)s), is
# what it refuses itself.
REASONS = """
SELECT reason, count(*) AS count,
       extract(epoch FROM clock_timestamp() - max(rejected_at))::float AS newest,
       count(*) FILTER (WHERE rejected_at > to_timestamp(%(since)s)
                        AND rejected_at > clock_timestamp() - make_interval(secs => %(recent)s))
         AS recent
FROM events.rejected WHERE redriven_at IS NULL GROUP BY reason ORDER BY count(*) DESC, reason
LIMIT 100
"""


def reasons(want: Mapping[str, Any], since: float) -> list[Reason]:
    """Return what was refused and not redriven; nothing where the consumer never ran.

    since: when the running release was complete, in seconds since 1970. Raises DatabaseError.
    """
    login = postgres.master_login(want["identifier"], want["region"])
    with postgres.connect(login, patience=15) as connection:
        known = connection.execute("SELECT to_regclass('events.rejected')").fetchone()[0]
        if known is None:
            return []
        recent = RECENT_PERIODS * want["period"]
        rows = connection.execute(REASONS, {"since": since, "recent": recent}).fetchall()
    return [Reason(*row) for row in rows]


def observe(want: Mapping[str, Any], clients: Callable[[str], Any]) -> Letters:
    """Return what was seen. Raises DatabaseError, DeploymentFailed, botocore's errors."""
    told = clients("sqs").get_queue_attributes(
        QueueUrl=want["queue_url"],
        AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    )["Attributes"]
    service = Service(clients("ecs"), want["cluster"], want["service"])
    now = service.describe()
    definition = service.definition(now["taskDefinition"])
    types = setting(definition, want["container"], "EVENT_TYPES")
    primary = primary_of(now)
    complete = primary.get("updatedAt") or primary.get("createdAt") or datetime.now(UTC)
    return Letters(
        waiting=int(told["ApproximateNumberOfMessages"]),
        held=int(told["ApproximateNumberOfMessagesNotVisible"]),
        reasons=reasons(want, complete.timestamp()),
        types=frozenset(word for part in types.split(",") if (word := part.strip())),
        running=now["runningCount"],
        rolling=len(now["deployments"]) > 1,
        revision=short(now["taskDefinition"]),
    )


def main(make: Callable[..., Any] = AnsibleModule) -> None:
    module = make(
        argument_spec={
            "cluster": {"type": "str", "required": True},
            "service": {"type": "str", "required": True},
            "container": {"type": "str", "required": True},
            "workload": {"type": "str", "required": True},
            "command": {"type": "str", "required": True},
            "queue_url": {"type": "str", "required": True},
            "identifier": {"type": "str", "required": True},
            "max_letters": {"type": "int", "default": 1000},
            "period": {"type": "int", "default": 60},
            "region": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    require_boto3(module)
    postgres.require_psycopg(module)
    want = module.params
    try:
        seen = observe(want, lambda service: client(service, want["region"]))
    except (DeploymentFailed, postgres.DatabaseError) as error:
        module.fail_json(msg=str(error))
    except Exception as error:
        module.fail_json(msg=explain(error, "Diagnosis of the dead letters"))
    module.exit_json(
        changed=False,
        decision=decide(seen, want["max_letters"], want["command"], want["workload"]),
        current=seen.revision,
        waiting=seen.waiting,
        runbook_evidence={"facts": [{"letters": {**asdict(seen), "types": sorted(seen.types)}}]},
        seen=sentences(seen),
    )


if __name__ == "__main__":
    main()
