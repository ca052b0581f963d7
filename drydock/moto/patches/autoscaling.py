"""Auto Scaling groups: what moto forgets of them, and instances as their template says.

moto 5.2 drops several settings on creation and on every update, launches all instances into one
subnet without the template's disks, groups and Spot share, forgets to take those that it ends
out of their target groups, and makes no alarms for target tracking.
"""

import copy
import math
from collections import Counter
from types import SimpleNamespace
from typing import Any

from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import (
    ASG_NAME_TAG,
    AutoScalingBackend,
    FakeAutoScalingGroup,
    FakeScalingPolicy,
    InstanceState,
    LifecycleHook,
)
from moto.autoscaling.responses import AutoScalingResponse
from moto.ec2.models.instances import Instance
from moto.ec2.utils import convert_tag_spec

from drydock.errors import ApiError
from drydock.moto import cloudwatch
from drydock.moto.api import PASS, Context, Handler
from drydock.moto.patches import applicationautoscaling

# Parameters of a group that moto does not keep → its attribute, and AWS's value without one.
_KEPT = {
    "DefaultCooldown": ("default_cooldown", 300),
    "DefaultInstanceWarmup": ("default_instance_warmup", None),
    "PlacementGroup": ("placement_group", None),
    "TerminationPolicies": ("termination_policies", ["Default"]),
    "CapacityRebalance": ("capacity_rebalance", False),
    "MaxInstanceLifetime": ("max_instance_lifetime", None),
    "ServiceLinkedRoleARN": ("service_linked_role_arn", None),
}


def operations() -> dict[tuple[str, str], Handler]:
    return {
        ("autoscaling", "CreateAutoScalingGroup"): _check,
        ("autoscaling", "UpdateAutoScalingGroup"): _check,
    }


def apply() -> None:
    """Replaces methods of moto's groups, instances, policies and hooks."""
    _keep_settings()
    FakeAutoScalingGroup.set_desired_capacity = _set_desired_capacity
    FakeAutoScalingGroup.replace_autoscaling_group_instances = _launch
    # The version that an instance was launched from, not the one that is the default now.
    InstanceState.launch_template = property(_launched_from)
    FakeScalingPolicy.enabled = True
    make_policy, make_hook = FakeScalingPolicy.__init__, LifecycleHook.__init__

    def policy(self: FakeScalingPolicy, *given: Any, **named: Any) -> None:
        make_policy(self, *given, **named)
        if self.policy_type != "PredictiveScaling":
            self.predictive_scaling_configuration = None

    def hook(self: LifecycleHook, *given: Any, **named: Any) -> None:
        make_hook(self, *given, **named)
        self.role_arn = self.notification_target_arn = None

    FakeScalingPolicy.__init__, LifecycleHook.__init__ = policy, hook
    _watch_policies()


def _check(_context: Context, given: dict[str, Any]) -> dict[str, Any]:
    template = (given.get("MixedInstancesPolicy") or {}).get("LaunchTemplate") or {}
    for override in template.get("Overrides", []):
        if refused := override.keys() - {"InstanceType"}:
            raise ApiError(
                "NotImplemented",
                f"The embedded cloud's groups know overrides of InstanceType only, not "
                f"{', '.join(sorted(refused))}; see docs/fidelity.md.",
                501,
            )
    return PASS


def _keep_settings() -> None:
    create, change = (AutoScalingResponse.create_auto_scaling_group,
                      AutoScalingResponse.update_auto_scaling_group)  # fmt: skip
    update = FakeAutoScalingGroup.update

    def created(self: AutoScalingResponse) -> Any:
        answer = create(self)
        _keep(self, new=True)
        return answer

    def changed(self: AutoScalingResponse) -> Any:
        answer = change(self)
        _keep(self, new=False)
        return answer

    def updated(self: FakeAutoScalingGroup, *given: Any, **named: Any) -> None:
        # What a call does not name stays; moto ends the policy.
        if not named.get("mixed_instances_policy") and not named.get("launch_template"):
            kept = copy.deepcopy(self.mixed_instances_policy)
            if kept:  # moto adds the name, and then refuses both
                kept["LaunchTemplate"]["LaunchTemplateSpecification"].pop(
                    "LaunchTemplateName", None
                )
            named["mixed_instances_policy"] = kept
        update(self, *given, **named)

    AutoScalingResponse.create_auto_scaling_group = created
    AutoScalingResponse.update_auto_scaling_group = changed
    FakeAutoScalingGroup.update = updated


def _keep(call: AutoScalingResponse, new: bool) -> None:
    given = call._get_params()
    group = call.autoscaling_backend.autoscaling_groups[given["AutoScalingGroupName"]]
    own_role = group.service_linked_role_arn
    for name, (attribute, otherwise) in _KEPT.items():
        if name in given:
            setattr(group, attribute, given[name])
        elif new:
            setattr(group, attribute, otherwise)
    group.service_linked_role_arn = group.service_linked_role_arn or own_role


# --- capacity ----------------------------------------------------------------------------


def _set_desired_capacity(self: FakeAutoScalingGroup, wanted: int | None) -> None:
    self.desired_capacity = self.min_size if wanted is None else wanted
    surplus = len(self.active_instances()) - self.desired_capacity
    if surplus < 0:
        self.replace_autoscaling_group_instances(-surplus, self.get_propagated_tags())
    elif surplus > 0:
        _end(self, surplus)


def _end(group: FakeAutoScalingGroup, count: int) -> None:
    """Ends instances of the fullest zones, the newest first."""
    gone = []
    left = [one for one in group.active_instances() if not one.protected_from_scale_in]
    for _ in range(min(count, len(left))):
        full = Counter(one.availability_zone for one in left).most_common(1)[0][0]
        gone.append(next(one for one in reversed(left) if one.availability_zone == full))
        left.remove(gone[-1])
    end(group, gone)


def end(group: FakeAutoScalingGroup, gone: list[InstanceState]) -> None:
    """Terminates instances of a group, and takes them out of their target groups."""
    ids = [one.instance_id for one in gone]
    group.instance_states = [one for one in group.instance_states if one not in gone]
    if ids:
        group.ec2_backend.terminate_instances(ids)
        group.autoscaling_backend.elbv2_backend.notify_terminate_instances(ids)


# --- policies ----------------------------------------------------------------------------


def _watch_policies() -> None:
    put, drop = AutoScalingBackend.put_scaling_policy, AutoScalingBackend.delete_policy
    delete = AutoScalingBackend.delete_auto_scaling_group

    def put_policy(self: AutoScalingBackend, **given: Any) -> FakeScalingPolicy:
        old = self.policies.get(given["name"])
        tracked = given["policy_type"] == "TargetTrackingScaling"
        body = given["target_tracking_config"]
        metric = _metric(given["as_name"], body) if tracked else {}  # refuses before a change
        policy = put(self, **given)
        # Not of the API: what the shared making of alarms reads and sets.
        seen = SimpleNamespace(
            _policy_body=body, policy_arn=policy.arn, resource_id=policy.auto_scaling_group_name,
            alarms=getattr(old, "drydock_alarms", []),
        )  # fmt: skip
        if tracked:
            applicationautoscaling.track(seen, self.region_name, metric, seen.alarms)
        else:
            cloudwatch.delete_alarms(self.region_name, [alarm.name for alarm in seen.alarms])
            seen.alarms = []
        policy.drydock_alarms = seen.alarms
        policy.alarms = [{"AlarmName": alarm.name, "AlarmARN": alarm.alarm_arn}
                         for alarm in seen.alarms]  # fmt: skip
        return policy

    def delete_policy(self: AutoScalingBackend, name: str) -> None:
        if policy := self.policies.get(name):
            cloudwatch.delete_alarms(self.region_name, [one.name for one in policy.drydock_alarms])
        drop(self, name)

    def delete_group(self: AutoScalingBackend, name: str) -> None:
        delete(self, name)
        for policy in self.describe_policies(name):
            self.delete_policy(policy.name)
        for hook in self.describe_lifecycle_hooks(name):
            self.delete_lifecycle_hook(name, hook.name)

    AutoScalingBackend.put_scaling_policy = put_policy
    AutoScalingBackend.delete_policy = delete_policy
    AutoScalingBackend.delete_auto_scaling_group = delete_group


def _metric(group: str, given: dict[str, Any]) -> dict[str, Any]:
    """PutMetricAlarm's parameters for what a target tracking policy looks at."""
    if own := given.get("CustomizedMetricSpecification"):
        return applicationautoscaling.customized(own)
    kind = (given.get("PredefinedMetricSpecification") or {}).get("PredefinedMetricType")
    if kind != "ASGAverageCPUUtilization":
        raise ValidationError(
            f"The embedded cloud's groups follow ASGAverageCPUUtilization or a metric of your own, "
            f"not {kind}."
        )
    return {
        "Namespace": "AWS/EC2", "MetricName": "CPUUtilization", "Statistic": "Average",
        "Period": 60, "Unit": "Percent",
        "Dimensions": [{"Name": "AutoScalingGroupName", "Value": group}],
    }  # fmt: skip


# --- launching ---------------------------------------------------------------------------


def _launch(self: FakeAutoScalingGroup, count: int, tags: dict[str, str]) -> None:
    """Launches instances, each into the subnet that has the fewest of them."""
    subnets = (self.vpc_zone_identifier or "").split(",")
    for _ in range(count):
        held = Counter(one.instance.subnet_id for one in self.instance_states)
        subnet = min(subnets, key=lambda name: held[name])
        instance = _run(self, subnet, {**tags, **self.instance_tags, ASG_NAME_TAG: self.name})
        instance.autoscaling_group = self
        self.instance_states.append(
            InstanceState(
                instance, protected_from_scale_in=self.new_instances_protected_from_scale_in
            )
        )
    if self.name in self.autoscaling_backend.autoscaling_groups:
        self.autoscaling_backend.update_attached_target_groups(self.name)


def _run(group: FakeAutoScalingGroup, subnet_id: str, tags: dict[str, str]) -> Instance:
    version = group.ec2_launch_template.get_version(group.launch_template_version)
    data = version.data
    card = next(iter(data.get("NetworkInterfaces") or []), {})
    policy = group.mixed_instances_policy or {}
    overrides = (policy.get("LaunchTemplate") or {}).get("Overrides") or []
    instance = group.ec2_backend.run_instances(
        version.image_id, 1, version.user_data, [],
        security_group_ids=[*card.get("Groups", []), *data.get("SecurityGroupIds", [])],
        instance_type=next((one["InstanceType"] for one in overrides), version.instance_type),
        is_instance_type_default=False,
        launch_template={"LaunchTemplateId": version.template.id, "Version": version.number},
        subnet_id=subnet_id,
        region_name=group.region,
        key_name=data.get("KeyName"),
        ebs_optimized=data.get("EbsOptimized", False),
        monitoring_state="enabled" if (data.get("Monitoring") or {}).get("Enabled") else "disabled",
        metadata_options=data.get("MetadataOptions") or {},
        iam_instance_profile=data.get("IamInstanceProfile"),
        associate_public_ip=card.get("AssociatePublicIpAddress", False),
        instance_market_options={"MarketType": "spot"} if _next_is_spot(group) else None,
        block_device_mappings=[],
        tags={"instance": tags},
    ).instances[0]  # fmt: skip
    instance.placement.group_name = group.placement_group or ""
    own = convert_tag_spec(data.get("TagSpecifications", []))
    for nic in instance.nics.values():
        nic.delete_on_termination = True
        nic.add_tags(own.get("network-interface", {}))
    _attach_disks(group, instance, data.get("BlockDeviceMappings", []), own.get("volume", {}))
    return instance


def _attach_disks(
    group: FakeAutoScalingGroup,
    instance: Instance,
    disks: list[dict[str, Any]],
    tags: dict[str, str],
) -> None:
    for disk in disks:
        if not (ebs := disk.get("Ebs")):
            continue  # an instance's own disk is no volume
        volume = group.ec2_backend.create_volume(
            size=ebs.get("VolumeSize") or 8,
            zone_name=instance.availability_zone,
            snapshot_id=ebs.get("SnapshotId"),
            encrypted=ebs.get("Encrypted", False),
            kms_key_id=ebs.get("KmsKeyId"),
            volume_type=ebs.get("VolumeType") or "gp3",
            iops=ebs.get("Iops"),
            throughput=ebs.get("Throughput"),
        )
        volume.add_tags(tags)
        group.ec2_backend.attach_volume(
            volume.id, instance.id, disk["DeviceName"], ebs.get("DeleteOnTermination", True)
        )


def _next_is_spot(group: FakeAutoScalingGroup) -> bool:
    """Whether the group's distribution has room for an instance on demand no more."""
    distribution = (group.mixed_instances_policy or {}).get("InstancesDistribution") or {}
    base = int(distribution.get("OnDemandBaseCapacity") or 0)
    share = distribution.get("OnDemandPercentageAboveBaseCapacity")
    spots = sum(one.instance.lifecycle == "spot" for one in group.instance_states)
    total = len(group.instance_states) + 1
    above = math.ceil(max(0, total - base) * (100 if share is None else int(share)) / 100)
    return total - 1 - spots >= min(total, base) + above


def _launched_from(self: InstanceState) -> dict[str, Any] | None:
    tags = {tag["key"]: tag["value"] for tag in self.instance.get_tags()}
    if "aws:ec2launchtemplate:id" not in tags:
        return None
    return {
        "LaunchTemplateId": tags["aws:ec2launchtemplate:id"],
        "LaunchTemplateName": self.auto_scaling_group.ec2_launch_template.name,
        "Version": tags["aws:ec2launchtemplate:version"],
    }
