"""Auto Scaling groups of EC2 and their policies, as what scales sees them."""

from typing import Any

from moto.autoscaling.models import FakeAutoScalingGroup, FakeScalingPolicy
from moto.backends import get_backend

from drydock.moto.autoscaling import Policy, Target
from drydock.moto.patches import autoscaling as patches
from drydock.settings import ACCOUNT_ID


def _backends() -> list[tuple[str, Any]]:
    return list(get_backend("autoscaling")[ACCOUNT_ID].items())


def _group(target: Target) -> FakeAutoScalingGroup | None:
    backend = get_backend("autoscaling")[ACCOUNT_ID][target.region]
    return backend.autoscaling_groups.get(target.resource)


def targets() -> list[Target]:
    """The groups of every region; ``resource`` is a group's name."""
    return [
        Target(region, group.name, int(group.min_size), int(group.max_size), _suspended(group))
        for region, backend in _backends()
        for group in list(backend.autoscaling_groups.values())
    ]


def _suspended(group: FakeAutoScalingGroup) -> dict[str, bool]:
    deaf = _suspended_any(group, "AlarmNotification")
    return {"DynamicScalingOutSuspended": deaf, "DynamicScalingInSuspended": deaf}


def counts(target: Target) -> tuple[int, int] | None:
    """Instances that the group is to have, and those in service; None when it is gone."""
    group = _group(target)
    return group and (int(group.desired_capacity), len(group.active_instances()))


def policies(target: Target) -> list[Policy]:
    """The policies of a group that an alarm moves; a new instance's warm-up is their cooldown."""
    group = _group(target)
    if group is None:
        return []
    backend = get_backend("autoscaling")[ACCOUNT_ID][target.region]
    return [
        Policy(target.region, group.name, found.name, found.arn, found.policy_type,
               _configuration(found, group), tuple(one["AlarmName"] for one in found.alarms))
        for found in list(backend.policies.values())
        if found.auto_scaling_group_name == group.name and found.enabled
    ]  # fmt: skip


def _configuration(policy: FakeScalingPolicy, group: FakeAutoScalingGroup) -> dict[str, Any]:
    own = policy.estimated_instance_warmup
    shared = getattr(group, "default_instance_warmup", None)
    wait = next((int(one) for one in (own, shared) if one is not None), group.default_cooldown)
    tracking = policy.target_tracking_configuration
    return {
        **(vars(tracking) if tracking else {}),
        "AdjustmentType": policy.adjustment_type,
        "StepAdjustments": policy.step_adjustments,
        "MinAdjustmentMagnitude": policy.min_adjustment_magnitude,
        "ScaleOutCooldown": wait,
        "ScaleInCooldown": wait,
        "Cooldown": wait,
    }


def set_desired(target: Target, count: int) -> None:
    """Launches or ends instances."""
    get_backend("autoscaling")[ACCOUNT_ID][target.region].set_desired_capacity(
        target.resource, count
    )


def target_state(region: str, instance_id: str) -> str:
    """What Auto Scaling makes of an instance, as its metadata tell it."""
    for group in list(get_backend("autoscaling")[ACCOUNT_ID][region].autoscaling_groups.values()):
        if any(one.instance_id == instance_id for one in group.instance_states):
            return "InService"
    return "Terminated"


def replace_dead(target: Target) -> list[str]:
    """Ends a group's instances that stopped or are unhealthy, and launches others; their ids."""
    group = _group(target)
    if group is None or _suspended_any(group, "ReplaceUnhealthy", "Terminate", "HealthCheck"):
        return []
    dead = [
        one for one in group.active_instances()
        if one.instance.state in ("stopped", "terminated") or one.health_status == "Unhealthy"
    ]  # fmt: skip
    if dead:
        patches.end(group, dead)
        if not _suspended_any(group, "Launch"):
            group.set_desired_capacity(group.desired_capacity)
    return [one.instance_id for one in dead]


def _suspended_any(group: FakeAutoScalingGroup, *names: str) -> bool:
    return any(one["ProcessName"] in names for one in group.suspended_processes)
