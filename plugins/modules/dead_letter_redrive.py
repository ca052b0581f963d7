#!/usr/bin/python
"""Ansible module: have the consumer apply its dead letters, one of each reason first."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils.aws import (
    client,
    explain,
    require_boto3,
)
from ansible_collections.drydock.ops.plugins.module_utils.ecs import (
    DeploymentFailed,
    short,
)
from ansible_collections.drydock.ops.plugins.module_utils.journal import Journal, JournalRefused
from ansible_collections.drydock.ops.plugins.module_utils.runs import Run, moment
from ansible_collections.drydock.ops.plugins.module_utils.service_facts import ServiceFacts

DOCUMENTATION = r"""
module: dead_letter_redrive
short_description: Redrive the dead letters of the consumer of events
description:
  - Runs C(python -m consumer.redrive) as a task of its own, of the revision that the service runs
    and where it runs, so that letters go the way of every event.
  - First one letter of each reason. If one is refused again, nothing else is tried. The others
    follow in batches, until none is left, O(max_letters) are redriven, or one is refused.
  - What is applied stays applied. A letter that is refused stays in the queue.
options:
  cluster: {description: Name of the ECS cluster., type: str, required: true}
  service: {description: ECS service of the consumer., type: str, required: true}
  container: {description: Its container., type: str, required: true}
  instead_of:
    description: Revision, such as C(consumer:7), that the decision was made on.
    type: str
    required: true
  queue_url: {description: Queue of the dead letters., type: str, required: true}
  max_letters: {description: Letters that may be redriven., type: int, default: 1000}
  batch: {description: Letters of one task., type: int, default: 500}
  environment: {description: Environment whose journal is kept., type: str, required: true}
  lock_table: {description: DynamoDB table of locks and journal., type: str, required: true}
  wait_timeout: {description: Seconds that one task may take., type: int, default: 600}
  region: {description: AWS region., type: str, required: true}
attributes:
  check_mode: {support: full, details: Shows how many letters would be tried; runs no task.}
  diff_mode: {support: full}
author: [Drydock]
"""

EXAMPLES = r"""
- name: Redrive
  drydock.ops.dead_letter_redrive:
    cluster: drydock-dev
    service: consumer
    container: consumer
    instead_of: drydock-dev-consumer:7
    queue_url: "{{ stack_outputs.streaming.dead_letter_queue_url }}"
    environment: dev
    lock_table: drydock-dev-tflock
    region: us-east-1
"""

RETURN = r"""
applied: {description: Letters whose event has had its effect now., type: int, returned: success}
known: {description: Letters whose event had it already., type: int, returned: success}
"""

POLL_SECONDS = 1.0
COMMAND = ["python", "-m", "consumer.redrive"]
ENDED = (0, 1)  # all letters were applied; some were refused


class Redrive:
    """Tasks of the consumer that redrive."""

    def __init__(self, facts: ServiceFacts, want: Mapping[str, Any], sqs: Any) -> None:
        self.facts, self.want, self.sqs = facts, want, sqs
        self.now = facts.service.describe()
        self.revision = short(self.now["taskDefinition"])
        if self.revision != want["instead_of"]:
            raise DeploymentFailed(
                f"{want['service']} runs {self.revision} by now, and the decision was made on "
                f"{want['instead_of']}: start the runbook again. Nothing was changed."
            )

    def waiting(self) -> int:
        """Return how many letters can be received."""
        told = self.sqs.get_queue_attributes(
            QueueUrl=self.want["queue_url"], AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(told["Attributes"]["ApproximateNumberOfMessages"])

    def run(self, *words: str) -> dict[str, Any]:
        """Run one task to its end; return {applied, known, refused, reasons}.

        Raises DeploymentFailed where it does not start, fails or takes too long.
        """
        override = {"name": self.want["container"], "command": [*COMMAND, *words]}
        answer = self.facts.ecs.run_task(
            cluster=self.want["cluster"],
            taskDefinition=self.now["taskDefinition"],
            networkConfiguration=self.now["networkConfiguration"],
            overrides={"containerOverrides": [override]},
            startedBy="runbook dlq-redrive",
            propagateTags="TASK_DEFINITION",
            **_where(self.now),
        )
        if not answer["tasks"]:
            reasons = ", ".join(one.get("reason", "?") for one in answer["failures"])
            raise DeploymentFailed(f"ECS started no task to redrive with: {reasons}.")
        task = self._ended(answer["tasks"][0])
        (code,) = {one.get("exitCode") for one in task["containers"]} or {None}
        told = self._result(task) if code in ENDED else None
        if told is None:
            raise DeploymentFailed(
                f"The task {short(task['taskArn'])} that was to redrive ended with {code} "
                f"({task.get('stoppedReason', 'no reason')}): read its log. What it applied stays "
                "so, and no letter is lost."
            )
        return told

    def _ended(self, task: dict[str, Any]) -> dict[str, Any]:
        end = time.monotonic() + self.want["wait_timeout"]
        named = {"cluster": self.want["cluster"]}
        while task["lastStatus"] != "STOPPED":
            if time.monotonic() >= end:
                why = f"it redrives for more than {self.want['wait_timeout']} s"
                self.facts.ecs.stop_task(**named, task=task["taskArn"], reason=why)
                raise DeploymentFailed(
                    f"Task {short(task['taskArn'])} was stopped, because {why}: start the runbook "
                    "again, it goes on where this ended."
                )
            time.sleep(POLL_SECONDS)
            (task,) = self.facts.ecs.describe_tasks(**named, tasks=[task["taskArn"]])["tasks"]
        return task

    def _result(self, task: dict[str, Any]) -> dict[str, Any] | None:
        """Return the last line that the task wrote; None where it is none of its results."""
        end = time.monotonic() + 30
        while True:
            # Its log may arrive a moment after its end.
            for line in reversed(self.facts.log(task, 0, limit=20)):
                try:
                    told = json.loads(line)
                except ValueError:
                    continue
                if isinstance(told, dict) and {"applied", "known", "refused"} <= told.keys():
                    return told
            if time.monotonic() >= end:
                return None
            time.sleep(POLL_SECONDS)


def _where(service: Mapping[str, Any]) -> dict[str, Any]:
    """Return what says on which machines a service's tasks run."""
    keys = ("capacityProviderStrategy", "platformVersion")
    found = {key: service[key] for key in keys if service.get(key)}
    if "capacityProviderStrategy" not in found:
        found["launchType"] = service.get("launchType") or "FARGATE"
    return found


def redrive(one: Redrive, want: Mapping[str, Any], journal: Journal | None) -> dict[str, Any]:
    """Try one letter of each reason, then the others; return the module's result.

    journal: None in check mode. Raises DeploymentFailed where a letter is refused again.
    """
    waiting = one.waiting()
    result = {
        "changed": waiting > 0,
        "applied": 0,
        "known": 0,
        "diff": {"before": f"dead letters: {waiting}\n", "after": "dead letters: 0\n"},
    }
    if journal is None or not waiting:
        return result
    what = f"redrive dead letters with {one.revision}"
    journal.begin(what, None, keep=True)
    counts = {"applied": 0, "known": 0}
    begun = moment()
    words = ["--limit", str(want["max_letters"]), "--trial"]
    while True:
        told = one.run(*words)
        for name in counts:
            counts[name] += told[name]
        if told["refused"]:
            said = "; ".join(f"{n}x {why}" for why, n in sorted(told["reasons"].items()))
            done = sum(counts.values())
            raise DeploymentFailed(
                f"{one.revision} refuses letters again, so their cause is not mended ({said}). "
                f"{done} were redriven before, no other was tried, none is lost. Mend it, release "
                "it with playbooks/deploy.yml, then start this runbook again."
            )
        left = want["max_letters"] - sum(counts.values())
        # Nothing redriven: the queue shows letters that can't be received.
        if left <= 0 or not one.waiting() or not told["applied"] + told["known"]:
            break
        words = ["--limit", str(min(left, want["batch"]))]
    journal.done(what)
    text = f"{counts['applied']} letters applied, {counts['known']} were known already"
    return {
        **result,
        **counts,
        "evidence": [text],
        "runbook_evidence": {"actions": [{"at": begun, "what": text, "target": want["service"]}]},
    }


def main(make: Callable[..., Any] = AnsibleModule) -> None:
    module = make(
        argument_spec={
            "cluster": {"type": "str", "required": True},
            "service": {"type": "str", "required": True},
            "container": {"type": "str", "required": True},
            "instead_of": {"type": "str", "required": True},
            "queue_url": {"type": "str", "required": True},
            "max_letters": {"type": "int", "default": 1000},
            "batch": {"type": "int", "default": 500},
            "environment": {"type": "str", "required": True},
            "lock_table": {"type": "str", "required": True},
            "wait_timeout": {"type": "int", "default": 600},
            "region": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    require_boto3(module)
    want = {**module.params, "period": 60}
    try:
        region = want["region"]
        facts = ServiceFacts(lambda service: client(service, region), want, time.time())
        journal = Journal(
            client("dynamodb", region), want["lock_table"], want["environment"], Run.current()
        )
        one = Redrive(facts, want, client("sqs", region))
        result = redrive(one, want, None if module.check_mode else journal)
    except (DeploymentFailed, JournalRefused) as error:
        module.fail_json(msg=str(error))
    except Exception as error:
        module.fail_json(msg=explain(error, "Redriving the dead letters"))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
