"""The loop from alarms to counts."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from drydock.controller import Cloud, Controller
from drydock.controllers.scaling import decisions
from drydock.controllers.scaling.activities import Activities
from drydock.controllers.scaling.readings import Readings
from drydock.errors import ApiError
from drydock.moto import autoscaling, cloudwatch, ecs
from drydock.moto.api import Context, Handler
from drydock.moto.autoscaling import Policy, Target

_COOLDOWN = 300  # AWS's default for ECS, seconds
_MINUTE = 60  # between two actions on an alarm that stays as it is


@dataclass
class Memory:
    """What is remembered of a target; times are monotonic seconds.

    Attributes:
        limits: (least, most) that the count was last fitted into.
        base: the count before the last scaling out.
        out_until, in_until: end of the cooldown after scaling out, and in.
        again: policy → earliest time of its next action.
    """

    limits: tuple[int, int] | None = None
    base: int = 0
    out_until: float = 0.0
    in_until: float = 0.0
    again: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Wish:
    """What a policy wants, and why."""

    policy: Policy
    count: int
    alarm: str
    cooldown: float


class ScalingController(Controller):
    """Changes the counts of ECS services that are registered as scalable targets."""

    name = "scaling"
    interval = 0.5

    def __init__(self, cloud: Cloud):
        super().__init__(cloud)
        self._activities, self._readings = Activities(), Readings(cloud.settings)
        self._memory: dict[tuple[str, str], Memory] = {}

    def operations(self) -> Mapping[tuple[str, str], Handler]:
        return {("application-autoscaling", "DescribeScalingActivities"): self._describe}

    def _describe(self, context: Context, given: dict[str, Any]) -> dict[str, Any]:
        if given.get("ServiceNamespace") != "ecs":
            return {"ScalingActivities": []}
        found = self._activities.listed(context.region, given.get("ResourceId"))
        start = int(given.get("NextToken") or 0)
        end = start + (given.get("MaxResults") or 50)
        shown = {"ScalingActivities": [one.describe() for one in found[start:end]]}
        return shown | ({"NextToken": str(end)} if end < len(found) else {})

    def reconcile(self) -> None:
        targets = self._targets()
        known = {(target.region, target.resource) for target in targets}
        self._memory = {key: one for key, one in self._memory.items() if key in known}
        for target in targets:
            memory = self._memory.setdefault((target.region, target.resource), Memory())
            counts = self._counts(target)
            if counts is None:
                continue
            self._activities.settle(target.region, target.resource, counts.desired, counts.running)
            if not self._fit(target, memory, counts.desired):
                self._follow(target, memory, counts, time.monotonic())

    # --- what is scaled (fleets.py knows another kind) -------------------------------

    def _targets(self) -> list[Target]:
        autoscaling.forget_policies_without_target()
        return autoscaling.targets()

    def _policies(self, target: Target) -> list[Policy]:
        return autoscaling.policies(target)

    def _counts(self, target: Target) -> ecs.Counts | None:
        return ecs.counts(target.region, target.cluster, target.service)

    def _change(self, target: Target, count: int) -> None:
        ecs.set_desired(target.region, target.cluster, target.service, count)

    # --- limits --------------------------------------------------------------------

    def _fit(self, target: Target, memory: Memory, count: int) -> bool:
        """Brings the count within limits that are new; whether it had to be changed.

        Only once: whoever sets a count outside them later has a reason.
        """
        limits = (target.least, target.most)
        new, memory.limits = limits != memory.limits, limits
        if new and count < target.least:
            return self._set(target, target.least, f"minimum capacity was set to {target.least}")
        if new and count > target.most:
            return self._set(target, target.most, f"maximum capacity was set to {target.most}")
        return False

    # --- policies ------------------------------------------------------------------

    def _follow(self, target: Target, memory: Memory, counts: ecs.Counts, at: float) -> None:
        policies = self._policies(target)
        tracking = [one for one in policies if one.kind == "TargetTrackingScaling"]
        outs, ins = [], []
        for policy in tracking:
            if wish := self._tracked(policy, memory, counts, at):
                (outs if wish.count > counts.desired else ins).append(wish)
        # Several policies scale in only when all that may do so agree.
        if len(ins) < sum(not one.configuration.get("DisableScaleIn") for one in tracking):
            ins = []
        for policy in policies:
            if policy.kind == "StepScaling" and (wish := self._stepped(policy, memory, counts, at)):
                (outs if wish.count > counts.desired else ins).append(wish)
        if outs:
            self._act(target, memory, max(outs, key=lambda wish: wish.count), counts, at)
        elif ins:
            self._act(target, memory, max(ins, key=lambda wish: wish.count), counts, at)

    def _tracked(
        self, policy: Policy, memory: Memory, counts: ecs.Counts, at: float
    ) -> Wish | None:
        for name in policy.alarms:
            alarm = cloudwatch.alarm(policy.region, name)
            if alarm is None or alarm.state != "ALARM" or at < memory.again.get(policy.arn, 0.0):
                continue
            value = self._readings.latest(alarm)
            if value is None:
                continue
            out = "-AlarmHigh-" in name
            # What the last scaling out has added counts as done: only a larger one follows
            # before the end of its cooldown.
            count = memory.base if out and at < memory.out_until else counts.desired
            wanted = decisions.tracked(count, value, float(policy.configuration["TargetValue"]))
            if (wanted > counts.desired) if out else (wanted < counts.desired):
                key = "ScaleOutCooldown" if out else "ScaleInCooldown"
                return Wish(policy, wanted, name, _cooldown(policy, key))
        return None

    def _stepped(
        self, policy: Policy, memory: Memory, counts: ecs.Counts, at: float
    ) -> Wish | None:
        if at < memory.again.get(policy.arn, 0.0):
            return None
        for alarm in cloudwatch.alarms(policy.region):
            if alarm.composite or policy.arn not in alarm.actions():
                continue
            if not alarm.parameters.get("ActionsEnabled", True):
                continue
            value = self._readings.latest(alarm)
            if value is None:
                continue
            difference = value - float(alarm.parameters["Threshold"])
            wanted = decisions.stepped(policy.configuration, counts.desired, difference)
            out = wanted > counts.desired
            if out and at < memory.out_until:
                wanted = decisions.stepped(policy.configuration, memory.base, difference)
            if (wanted > counts.desired) if out else (wanted < counts.desired):
                return Wish(policy, wanted, alarm.name, _cooldown(policy, "Cooldown"))
        return None

    def _act(
        self, target: Target, memory: Memory, wish: Wish, counts: ecs.Counts, at: float
    ) -> None:
        out = wish.count > counts.desired
        suspended = "DynamicScalingOutSuspended" if out else "DynamicScalingInSuspended"
        if target.suspended.get(suspended):
            return
        # A deployment's old and new tasks are both needed: no scaling in meanwhile.
        if not out and (counts.deploying or at < memory.in_until):
            return
        wanted = min(wish.count, target.most) if out else max(wish.count, target.least)
        if (wanted <= counts.desired) if out else (wanted >= counts.desired):
            return
        cause = f"monitor alarm {wish.alarm} in state ALARM triggered policy {wish.policy.name}"
        scaled = self.cloud.settings.scaled
        memory.again[wish.policy.arn] = at + scaled(_MINUTE)
        if not self._set(target, wanted, cause):
            return
        if out:
            if at >= memory.out_until:
                memory.base = counts.desired
            memory.out_until, memory.in_until = at + scaled(wish.cooldown), 0.0
        else:
            memory.in_until = at + scaled(wish.cooldown)

    def _set(self, target: Target, count: int, cause: str) -> bool:
        """Changes a target's count; whether that was possible."""
        activity = self._activities.begin(target.region, target.resource, count, cause)
        self.log.info("%s: desired count %s: %s", target.resource, count, cause)
        try:
            self._change(target, count)
        except ApiError as error:
            activity.end("Failed", error.message)
            return False
        return True


def _cooldown(policy: Policy, key: str) -> float:
    given = policy.configuration.get(key)
    return float(_COOLDOWN if given is None else given)
