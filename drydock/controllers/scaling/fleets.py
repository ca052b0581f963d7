"""Auto Scaling groups of EC2 follow their alarms by the same rules as services do."""

from collections.abc import Mapping
from typing import Any

from drydock.controllers.scaling.activities import Activity
from drydock.controllers.scaling.controller import ScalingController
from drydock.moto import fleets
from drydock.moto.api import Context, Handler
from drydock.moto.autoscaling import Policy, Target
from drydock.moto.ecs import Counts


class FleetController(ScalingController):
    """Changes how many instances a group has."""

    name = "fleets"

    def operations(self) -> Mapping[tuple[str, str], Handler]:
        return {("autoscaling", "DescribeScalingActivities"): self._describe}

    def _describe(self, context: Context, given: dict[str, Any]) -> dict[str, Any]:
        found = self._activities.listed(context.region, given.get("AutoScalingGroupName"))
        return {"Activities": [_activity(one) for one in found[: given.get("MaxRecords") or 100]]}

    def _targets(self) -> list[Target]:
        return fleets.targets()

    def reconcile(self) -> None:
        for target in fleets.targets():
            if gone := fleets.replace_dead(target):
                wanted, _ = fleets.counts(target) or (0, 0)
                cause = f"{', '.join(gone)} stopped or failed a health check and was replaced"
                self._activities.begin(target.region, target.resource, wanted, cause)
                self.log.info("%s: %s", target.resource, cause)
        super().reconcile()

    def _policies(self, target: Target) -> list[Policy]:
        return fleets.policies(target)

    def _counts(self, target: Target) -> Counts | None:
        found = fleets.counts(target)
        return found and Counts(*found, deploying=False)

    def _change(self, target: Target, count: int) -> None:
        fleets.set_desired(target, count)


def _activity(one: Activity) -> dict[str, Any]:
    """The API's ``Activity`` of Auto Scaling groups."""
    status = {"Overridden": "Cancelled"}.get(one.status, one.status)
    return {
        "ActivityId": one.id,
        "AutoScalingGroupName": one.resource,
        "Description": f"Setting desired capacity to {one.desired}.",
        "Cause": one.cause,
        "StartTime": one.began,
        "EndTime": one.ended,
        "StatusCode": status,
        "StatusMessage": one.error,
        "Progress": 50 if status == "InProgress" else 100,
    }
