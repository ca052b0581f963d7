"""Scalable targets and scaling policies of ECS services, as Application Auto Scaling's API
holds them.

moto keeps what was registered; what acts on it is the scaling controller.
"""

from dataclasses import dataclass
from typing import Any

from moto.applicationautoscaling.models import FakeApplicationAutoscalingPolicy
from moto.backends import get_backend

from drydock.settings import ACCOUNT_ID

DIMENSION = "ecs:service:DesiredCount"


@dataclass(frozen=True)
class Target:
    """A service whose count may be changed.

    Attributes:
        resource: ``service/<cluster>/<service>``.
        suspended: AWS's SuspendedState; a key that is missing means false.
    """

    region: str
    resource: str
    least: int
    most: int
    suspended: dict[str, bool]

    @property
    def cluster(self) -> str:
        return self.resource.split("/")[1]

    @property
    def service(self) -> str:
        return self.resource.split("/")[2]


@dataclass(frozen=True)
class Policy:
    """A scaling policy.

    Attributes:
        kind: TargetTrackingScaling or StepScaling.
        configuration: of that kind, in the API's shape.
        alarms: names of those that it made itself: with target tracking, the high one first.
    """

    region: str
    resource: str
    name: str
    arn: str
    kind: str
    configuration: dict[str, Any]
    alarms: tuple[str, ...]


def _backends() -> list[tuple[str, Any]]:
    return list(get_backend("applicationautoscaling")[ACCOUNT_ID].items())


def targets() -> list[Target]:
    """The scalable ECS services of every region."""
    return [
        Target(
            region, found.resource_id, int(found.min_capacity or 0), int(found.max_capacity or 0),
            dict(found.suspended_state or {}),
        )
        for region, backend in _backends()
        for found in list(backend.targets.get(DIMENSION, {}).values())
    ]  # fmt: skip


def policies(target: Target) -> list[Policy]:
    """The policies of one target."""
    backend = get_backend("applicationautoscaling")[ACCOUNT_ID][target.region]
    return [
        Policy(target.region, found.resource_id, found.policy_name, found.policy_arn,
               found.policy_type, found._policy_body or {},
               tuple(alarm.name for alarm in found.alarms))
        for found in list(backend.policies.values())
        if (found.resource_id, found.scalable_dimension) == (target.resource, DIMENSION)
    ]  # fmt: skip


def forget_policies_without_target() -> None:
    """Does what deregistering a target does on AWS: its policies and their alarms go too."""
    for region, backend in _backends():
        for key, policy in list(backend.policies.items()):
            if policy.resource_id not in backend.targets.get(policy.scalable_dimension, {}):
                del backend.policies[key]
                FakeApplicationAutoscalingPolicy.delete_alarms(policy, ACCOUNT_ID, region)
