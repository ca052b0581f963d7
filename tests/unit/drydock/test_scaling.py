"""Application Auto Scaling: how many tasks, when, and what is said of it."""

from types import SimpleNamespace
from typing import Any

import pytest
from moto.applicationautoscaling.models import ApplicationAutoscalingBackend
from moto.backends import get_backend

from drydock.controllers.scaling import controller as scaling
from drydock.controllers.scaling import decisions
from drydock.controllers.scaling.controller import ScalingController
from drydock.controllers.scaling.readings import _queries
from drydock.errors import ApiError
from drydock.metrics import Metrics
from drydock.moto import cloudwatch, ecs, patches
from drydock.moto.api import Context
from drydock.moto.patches import applicationautoscaling
from drydock.settings import ACCOUNT_ID, Settings

HERE = Context("us-east-1")
RESOURCE, DIMENSION = "service/c/web", "ecs:service:DesiredCount"


# --- decisions -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "value", "target", "wanted"),
    [(2, 140, 70, 4), (2, 71, 70, 3), (4, 35, 70, 2), (3, 0, 70, 0), (3, 70, 70, 3)],
)
def test_target_tracking_is_proportional(count, value, target, wanted):
    assert decisions.tracked(count, value, target) == wanted


STEPS = {"StepAdjustments": [
    {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 10, "ScalingAdjustment": 1},
    {"MetricIntervalLowerBound": 10, "ScalingAdjustment": 3},
    {"MetricIntervalUpperBound": -10, "ScalingAdjustment": -2},
    {"MetricIntervalLowerBound": -10, "MetricIntervalUpperBound": 0, "ScalingAdjustment": -1},
]}  # fmt: skip


@pytest.mark.parametrize(
    ("difference", "wanted"), [(0, 6), (9.9, 6), (10, 8), (99, 8), (-1, 4), (-9.9, 4), (-10, 3)]
)
def test_a_bound_belongs_to_the_farther_step(difference, wanted):
    given = {"AdjustmentType": "ChangeInCapacity", **STEPS}
    assert decisions.stepped(given, 5, difference) == wanted


def test_a_difference_without_a_step_changes_nothing():
    given = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": [
        {"MetricIntervalLowerBound": 10, "ScalingAdjustment": 3}]}  # fmt: skip
    assert decisions.stepped(given, 5, 1) == 5


@pytest.mark.parametrize(
    ("kind", "amount", "least", "wanted"),
    [
        ("ChangeInCapacity", -2, None, 8), ("ExactCapacity", 3, None, 3),
        ("PercentChangeInCapacity", 25, None, 12),  # 2.5: towards zero
        ("PercentChangeInCapacity", 5, None, 11),  # 0.5: at least one
        ("PercentChangeInCapacity", -5, None, 9),
        ("PercentChangeInCapacity", 10, 4, 14), ("PercentChangeInCapacity", -10, 4, 6),
        ("PercentChangeInCapacity", 0, 4, 10),
    ],
)  # fmt: skip
def test_adjustments(kind, amount, least, wanted):
    given = {"AdjustmentType": kind, "MinAdjustmentMagnitude": least}
    assert decisions.adjusted(given, 10, amount) == wanted


# --- the controller ------------------------------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def mended() -> None:
    patches.apply()


class Site:
    """One service, whose metric and alarms say what the test says."""

    def __init__(self, tmp_path, monkeypatch):
        self.count, self.running, self.deploying = 2, 2, False
        self.values: dict[str, float] = {}
        self.refusal = ""
        self.now = 1000.0
        self.backend: ApplicationAutoscalingBackend = get_backend("applicationautoscaling")[
            ACCOUNT_ID
        ]["us-east-1"]
        self.backend.targets.clear()
        self.backend.policies.clear()
        get_backend("cloudwatch")[ACCOUNT_ID]["us-east-1"].alarms.clear()
        monkeypatch.setattr(self.backend, "_ecs_service_exists_for_target", lambda resource: True)
        monkeypatch.setattr(scaling, "time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr(ecs, "_read", [self._counts])
        monkeypatch.setattr(ecs, "_change", [self._change])
        cloud = SimpleNamespace(settings=Settings(tmp_path, 4720, 4721), metrics=Metrics())
        self.controller = ScalingController(cloud)
        self.controller._readings = SimpleNamespace(latest=lambda one: self.values.get(one.name))

    def _counts(self, *_: str) -> ecs.Counts:
        return ecs.Counts(self.count, self.running, self.deploying)

    def _change(self, region: str, cluster: str, name: str, count: int) -> None:
        if self.refusal:
            raise ApiError("ServiceNotActiveException", self.refusal)
        assert (region, cluster, name) == ("us-east-1", "c", "web")
        self.count = self.running = count

    def register(self, least: int = 1, most: int = 10, **suspended: bool) -> None:
        self.backend.register_scalable_target("ecs", RESOURCE, DIMENSION, least, most, "",
                                              suspended or None)  # fmt: skip

    def policy(self, name: str = "cpu", kind: str = "TargetTrackingScaling", **body: Any) -> Any:
        if kind == "TargetTrackingScaling":
            body = {"TargetValue": 50.0, "PredefinedMetricSpecification": {
                "PredefinedMetricType": "ECSServiceAverageCPUUtilization"}, **body}  # fmt: skip
        return self.backend.put_scaling_policy(name, "ecs", RESOURCE, DIMENSION, body, kind)

    def alarm(self, policy: Any, kind: str, state: str, value: float | None = None) -> None:
        one = next(a for a in policy.alarms if f"-Alarm{kind}-" in a.name)
        one.state = state
        if value is not None:
            self.values[one.name] = value

    def step(self, seconds: float = 0.5) -> int:
        self.controller.reconcile()
        self.now += seconds
        return self.count

    def activities(self) -> list[dict]:
        call = self.controller.operations()["application-autoscaling", "DescribeScalingActivities"]
        return call(HERE, {"ServiceNamespace": "ecs", "ResourceId": RESOURCE})["ScalingActivities"]


@pytest.fixture
def site(tmp_path, monkeypatch) -> Site:
    return Site(tmp_path, monkeypatch)


def test_target_tracking_has_aws_s_two_alarms(site):
    site.register()
    high, low = site.policy().alarms
    assert high.name.startswith("TargetTracking-service/c/web-AlarmHigh-")
    assert low.name.startswith("TargetTracking-service/c/web-AlarmLow-")
    given = high.parameters
    assert (given["EvaluationPeriods"], given["Period"], given["Threshold"]) == (3, 60, 50.0)
    assert (given["Namespace"], given["MetricName"]) == ("AWS/ECS", "CPUUtilization")
    assert (low.parameters["EvaluationPeriods"], low.parameters["Threshold"]) == (15, 45.0)
    assert cloudwatch.alarm("us-east-1", high.name) is high


def test_a_changed_policy_keeps_its_alarms_and_arn(site):
    site.register()
    old = site.policy()
    site.alarm(old, "High", "OK")
    new = site.policy(TargetValue=60.0)
    assert new.policy_arn == old.policy_arn
    assert [alarm.name for alarm in new.alarms] == [alarm.name for alarm in old.alarms]
    assert new.alarms[0].state == "OK" and new.alarms[0].parameters["Threshold"] == 60.0
    only = site.policy(TargetValue=60.0, DisableScaleIn=True)
    assert [alarm.name for alarm in only.alarms] == [old.alarms[0].name]
    assert [one.name for one in cloudwatch.alarms("us-east-1")] == [old.alarms[0].name]


def test_alarms_of_requests_and_of_metrics_of_one_s_own(site):
    site.register()
    label = "app/web/1/targetgroup/one/2"
    predefined = {"PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": label}
    given = site.policy(PredefinedMetricSpecification=predefined).alarms[0].parameters
    assert given["Dimensions"] == [{"Name": "LoadBalancer", "Value": "app/web/1"},
                                   {"Name": "TargetGroup",
                                    "Value": "targetgroup/one/2"}]  # fmt: skip
    metrics = [
        {"Id": "m", "ReturnData": False, "MetricStat": {
            "Metric": {"Namespace": "Lab", "MetricName": "Lag"}, "Stat": "Average"}},
        {"Id": "e", "Expression": "m / 3"},
    ]  # fmt: skip
    own = site.policy("lag", CustomizedMetricSpecification={"Metrics": metrics}).alarms[0]
    assert own.parameters["Metrics"][0]["MetricStat"]["Period"] == 60
    queries, shown = _queries(own, 5)
    assert shown == "e" and queries[0]["MetricStat"]["Period"] == 5


@pytest.mark.parametrize(
    ("given", "text"),
    [({"PredefinedMetricType": "LambdaProvisionedConcurrencyUtilization"}, "refused for an ECS"),
     ({"PredefinedMetricType": "ALBRequestCountPerTarget"}, "ResourceLabel")],
)  # fmt: skip
def test_metrics_that_can_t_be_are_refused(site, given, text):
    site.register()
    with pytest.raises(Exception, match=text):
        site.policy(PredefinedMetricSpecification=given)
    assert not site.backend.policies


def test_a_policy_needs_a_target(site):
    with pytest.raises(Exception, match="No scalable target registered"):
        site.policy()


def test_deregistering_takes_policies_and_alarms_along(site):
    site.register()
    site.policy()
    site.backend.deregister_scalable_target("ecs", RESOURCE, DIMENSION)
    site.step()
    assert not site.backend.policies and not cloudwatch.alarms("us-east-1")


def test_new_limits_move_the_count_once(site):
    site.register(3, 5)
    assert site.step() == 3
    assert site.activities()[0]["Cause"] == "minimum capacity was set to 3"
    site.count = site.running = 0  # put to sleep by hand
    assert site.step() == 0
    site.count = site.running = 9
    site.register(1, 4)
    assert site.step() == 4
    assert site.activities()[0]["Description"] == "Setting desired count to 4."


def test_a_red_high_alarm_scales_out_once_a_cooldown(site):
    site.register(1, 10)
    policy = site.policy(ScaleOutCooldown=120)
    assert site.step() == 2  # nothing is red
    site.alarm(policy, "High", "ALARM", 100.0)
    assert site.step() == 4
    shown = site.activities()[0]
    assert shown["Cause"] == (
        f"monitor alarm {policy.alarms[0].name} in state ALARM triggered policy cpu"
    )
    for _ in range(18):  # 9 s: two minutes are ten seconds here
        assert site.step() == 4
    site.now += 2
    assert site.step() == 8
    site.now += 11
    assert site.step() == 10  # the most there may be
    assert site.activities()[1]["StatusCode"] == "Successful"


def test_a_larger_scaling_out_does_not_wait(site):
    site.register(1, 20)
    policy = site.policy(ScaleOutCooldown=600)
    site.alarm(policy, "High", "ALARM", 100.0)
    assert site.step(6) == 4
    site.alarm(policy, "High", "ALARM", 150.0)
    assert site.step(6) == 6  # of the two that there were at first, not of four
    assert site.step(6) == 6


def test_low_scales_in_and_not_while_deploying(site):
    site.register(1, 10)
    site.count = site.running = 8
    policy = site.policy(ScaleInCooldown=0)
    site.alarm(policy, "Low", "ALARM", 25.0)
    site.deploying = True
    assert site.step(6) == 8
    site.deploying = False
    assert site.step(6) == 4
    site.alarm(policy, "Low", "ALARM", 0.0)
    assert site.step(6) == 1  # the least there may be
    assert site.step(6) == 1


def test_a_cooldown_after_scaling_in_holds_scaling_in_only(site):
    site.register(1, 10)
    site.count = site.running = 8
    policy = site.policy(ScaleInCooldown=600)
    site.alarm(policy, "Low", "ALARM", 25.0)
    assert site.step(6) == 4
    assert site.step(6) == 4
    site.alarm(policy, "Low", "OK")
    site.alarm(policy, "High", "ALARM", 60.0)
    assert site.step(6) == 5


def test_policies_scale_in_only_together_and_out_each_alone(site):
    site.register(1, 10)
    site.count = site.running = 4
    one = site.policy("one")
    two = site.policy("two")
    site.alarm(one, "Low", "ALARM", 10.0)
    assert site.step(6) == 4
    site.alarm(two, "Low", "ALARM", 25.0)
    assert site.step(6) == 2  # the larger of both wishes
    site.alarm(one, "High", "ALARM", 100.0)
    assert site.step(6) == 4


@pytest.mark.parametrize("kind", ["In", "Out"])
def test_suspended_is_suspended(site, kind):
    site.register(1, 10, **{f"DynamicScaling{kind}Suspended": True})
    site.count = site.running = 4
    policy = site.policy()
    site.alarm(policy, "High" if kind == "Out" else "Low", "ALARM", 100.0 if kind == "Out" else 5)
    assert site.step(6) == 4
    site.register(1, 10, **{f"DynamicScaling{kind}Suspended": False})
    assert site.step(6) == (8 if kind == "Out" else 1)


def test_a_value_that_nobody_knows_moves_nothing(site):
    site.register()
    policy = site.policy()
    site.alarm(policy, "High", "ALARM")
    assert site.step(6) == 2


def test_step_policies_follow_the_alarms_that_name_them(site):
    site.register(1, 10)
    policy = site.policy("steps", "StepScaling", AdjustmentType="ChangeInCapacity", Cooldown=0,
                         **STEPS)  # fmt: skip
    given = {"AlarmName": "busy", "Namespace": "Lab", "MetricName": "Lag", "Statistic": "Average",
             "Period": 60, "EvaluationPeriods": 1, "Threshold": 50.0,
             "ComparisonOperator": "GreaterThanThreshold"}  # fmt: skip
    other = cloudwatch.put_metric_alarm("us-east-1", **given | {"AlarmName": "other"})
    other.state, site.values["other"] = "ALARM", 99.0
    alarm = cloudwatch.put_metric_alarm("us-east-1", **given, AlarmActions=[policy.policy_arn])
    assert site.step(6) == 2
    alarm.state, site.values["busy"] = "ALARM", 55.0
    assert site.step(1) == 3
    assert site.step(1) == 3  # once a minute, which is five seconds here
    site.now += 5
    site.values["busy"] = 65.0
    assert site.step(6) == 6
    alarm.parameters["ActionsEnabled"] = False
    assert site.step(6) == 6


def test_a_step_s_cooldown_counts_what_was_added(site):
    site.register(1, 20)
    policy = site.policy("steps", "StepScaling", AdjustmentType="ChangeInCapacity", Cooldown=600,
                         **STEPS)  # fmt: skip
    alarm = cloudwatch.put_metric_alarm(
        "us-east-1", AlarmName="busy", Namespace="Lab", MetricName="Lag", Statistic="Average",
        Period=60, EvaluationPeriods=1, Threshold=50.0, ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[policy.policy_arn],
    )  # fmt: skip
    alarm.state, site.values["busy"] = "ALARM", 55.0
    assert site.step(6) == 3
    assert site.step(6) == 3  # neither out again, nor in
    site.values["busy"] = 65.0
    assert site.step(6) == 5  # three more than the two of before


def test_what_can_t_be_changed_is_said(site):
    site.register(3, 5)
    site.refusal = "Service was not ACTIVE."
    assert site.step() == 2
    shown = site.activities()[0]
    assert shown["StatusCode"] == "Failed" and "not ACTIVE" in shown["StatusMessage"]


def test_an_activity_ends_when_the_tasks_run(site):
    site.register(3, 5)
    site.controller.reconcile()
    site.running = 2
    site.step()
    assert site.activities()[0]["StatusCode"] == "InProgress"
    site.running = 3
    site.step()
    assert site.activities()[0]["StatusCode"] == "Successful"
    assert site.activities()[0]["EndTime"]


def test_tags_are_kept_with_their_target(site):
    calls = {action: call for (_, action), call in applicationautoscaling.operations().items()}
    calls["RegisterScalableTarget"](
        HERE, {"ScalableDimension": DIMENSION, "ResourceId": RESOURCE, "Tags": {"team": "x"}}
    )
    site.register()
    arn = site.backend.targets[DIMENSION][RESOURCE].arn
    calls["TagResource"](HERE, {"ResourceARN": arn, "Tags": {"a": "1"}})
    assert calls["ListTagsForResource"](HERE, {"ResourceARN": arn})["Tags"] == {
        "team": "x", "a": "1"
    }  # fmt: skip
    calls["UntagResource"](HERE, {"ResourceARN": arn, "TagKeys": ["team"]})
    assert calls["ListTagsForResource"](HERE, {"ResourceARN": arn})["Tags"] == {"a": "1"}
    with pytest.raises(ApiError, match="no scalable target"):
        calls["ListTagsForResource"](HERE, {"ResourceARN": "arn:none"})
