"""SQS: a queue keeps what it was told, in AWS's spelling.

moto 5.2 forgets a queue's policy whenever another attribute is set, has no redrive allow policy,
and returns the redrive policy with spaces, which Terraform takes for a change.
"""

import json
from typing import Any

from moto.sqs.models import Queue, SQSBackend

_ALLOW = "RedriveAllowPolicy"


def apply() -> None:
    set_attributes, attributes = Queue._set_attributes, Queue.attributes.fget
    get_attributes = SQSBackend.get_queue_attributes

    def keep(self: Queue, given: dict[str, Any], now: float | None = None) -> None:
        policy = getattr(self, "policy", None)
        set_attributes(self, given, now)
        if "Policy" not in given:
            self.policy = policy

    def tell(self: Queue) -> dict[str, Any]:
        told = attributes(self)
        if "RedrivePolicy" in told:
            told["RedrivePolicy"] = json.dumps(self.redrive_policy, separators=(",", ":"))
        if allowed := getattr(self, "redrive_allow_policy", None):
            told[_ALLOW] = allowed
        return told

    def get(self: SQSBackend, queue_name: str, names: list[str]) -> dict[str, Any]:
        others = [name for name in names or [] if name != _ALLOW]
        found = get_attributes(self, queue_name, others)
        allowed = self.get_queue(queue_name).attributes.get(_ALLOW)
        if allowed and _ALLOW in (names or []):
            found[_ALLOW] = allowed
        return found

    Queue._set_attributes, Queue.attributes = keep, property(tell)
    SQSBackend.get_queue_attributes = get
