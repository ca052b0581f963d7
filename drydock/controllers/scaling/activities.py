"""What scaling did, in the words of DescribeScalingActivities."""

import datetime
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from drydock.moto.autoscaling import DIMENSION

_KEPT = 200  # of a service


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@dataclass
class Activity:
    """One change of a service's count."""

    resource: str
    desired: int
    cause: str
    status: str = "InProgress"
    error: str = ""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    began: datetime.datetime = field(default_factory=now)
    ended: datetime.datetime | None = None

    def end(self, status: str, error: str = "") -> None:
        self.status, self.error, self.ended = status, error, now()

    def describe(self) -> dict[str, Any]:
        """The API's ``ScalingActivity``."""
        done = f"Successfully set desired count to {self.desired}. "
        messages = {
            "InProgress": done + "Waiting for change to be fulfilled by ecs.",
            "Successful": done + "Change successfully fulfilled by ecs.",
            "Overridden": done + "Change was overridden by another one.",
            "Failed": f"Failed to set desired count to {self.desired}. {self.error}",
        }
        return {
            "ActivityId": self.id,
            "ServiceNamespace": "ecs",
            "ResourceId": self.resource,
            "ScalableDimension": DIMENSION,
            "Description": f"Setting desired count to {self.desired}.",
            "Cause": self.cause,
            "StartTime": self.began,
            "EndTime": self.ended,
            "StatusCode": self.status,
            "StatusMessage": messages[self.status],
        }


class Activities:
    """Every service's activities; they outlive its registration."""

    def __init__(self) -> None:
        self._of: dict[tuple[str, str], deque[Activity]] = {}

    def begin(self, region: str, resource: str, desired: int, cause: str) -> Activity:
        known = self._of.setdefault((region, resource), deque(maxlen=_KEPT))
        if known and known[0].status == "InProgress":
            known[0].end("Overridden")
        made = Activity(resource, desired, cause)
        known.appendleft(made)
        return made

    def settle(self, region: str, resource: str, desired: int, running: int) -> None:
        """Ends what goes on, when its service has come to it or was told something else."""
        known = self._of.get((region, resource))
        if known and known[0].status == "InProgress":
            if known[0].desired != desired:
                known[0].end("Overridden")
            elif running == desired:
                known[0].end("Successful")

    def listed(self, region: str, resource: str | None) -> list[Activity]:
        """The newest first."""
        found = [
            one for (where, name), known in list(self._of.items()) for one in list(known)
            if where == region and resource in (None, name)
        ]  # fmt: skip
        return sorted(found, key=lambda one: one.began, reverse=True)
