"""Application Auto Scaling: tags, and the alarms of target tracking as AWS makes them."""

import uuid
from typing import Any

from moto.applicationautoscaling.exceptions import AWSValidationException
from moto.applicationautoscaling.models import (
    ApplicationAutoscalingBackend,
    FakeApplicationAutoscalingPolicy,
)
from moto.backends import get_backend
from moto.core.exceptions import JsonRESTError

from drydock.errors import ApiError
from drydock.moto import cloudwatch
from drydock.moto.api import PASS, Context, Handler
from drydock.settings import ACCOUNT_ID

_PREDEFINED = {
    "ECSServiceAverageCPUUtilization": "CPUUtilization",
    "ECSServiceAverageMemoryUtilization": "MemoryUtilization",
}
_LOW = 0.9  # the low alarm's threshold, as a share of the target
_HIGH_PERIODS, _LOW_PERIODS = 3, 15  # of a minute


def apply() -> None:
    make = ApplicationAutoscalingBackend.put_scaling_policy

    def put(
        self: ApplicationAutoscalingBackend,
        policy_name: str,
        service_namespace: str,
        resource_id: str,
        scalable_dimension: str,
        policy_body: dict[str, Any],
        policy_type: str | None,
    ) -> FakeApplicationAutoscalingPolicy:
        if resource_id not in self.targets.get(scalable_dimension, {}):
            raise _not_registered(service_namespace, resource_id, scalable_dimension)
        key = FakeApplicationAutoscalingPolicy.formulate_key(
            service_namespace, resource_id, scalable_dimension, policy_name
        )
        old = self.policies.get(key)
        if old and policy_body in (None, old._policy_body):
            return old
        tracked = service_namespace == "ecs" and "TargetTrackingScaling" in (
            policy_type, not policy_type and old and old.policy_type
        )  # fmt: skip
        metric = _metric(resource_id, policy_body) if tracked else {}  # refuses before a change
        made = make(self, policy_name, service_namespace, resource_id, scalable_dimension,
                    policy_body, policy_type)  # fmt: skip
        if old:  # moto makes another policy of a change; AWS keeps ARN and alarms
            made.policy_arn, made.creation_time = old.policy_arn, old.creation_time
        if tracked:
            track(made, self.region_name, metric, old.alarms if old else [])
        elif old:
            old.delete_alarms(self.account_id, self.region_name)
        return made

    def delete_alarms(
        self: FakeApplicationAutoscalingPolicy, account_id: str, region_name: str
    ) -> None:
        cloudwatch.delete_alarms(region_name, [alarm.name for alarm in self.alarms])

    ApplicationAutoscalingBackend.put_scaling_policy = put
    FakeApplicationAutoscalingPolicy.create_alarms = lambda self: None
    FakeApplicationAutoscalingPolicy.delete_alarms = delete_alarms


def _not_registered(namespace: str, resource: str, dimension: str) -> Exception:
    return JsonRESTError(
        "ObjectNotFoundException",
        f"No scalable target registered for service namespace: {namespace}, resource ID: "
        f"{resource}, scalable dimension: {dimension}",
    )


def track(policy: Any, region: str, metric: dict[str, Any], old: list[Any]) -> None:
    """Gives a target tracking policy its alarms; what it had keeps its names and states.

    policy: any service's, with policy_arn, resource_id and, as ``_policy_body``, the API's target
    tracking configuration; alarms is set. metric: of PutMetricAlarm. old: its alarms until now.
    """
    target = float(policy._policy_body["TargetValue"])
    wanted = [("High", _HIGH_PERIODS, target, "GreaterThanThreshold")]
    if not policy._policy_body.get("DisableScaleIn"):
        wanted.append(("Low", _LOW_PERIODS, target * _LOW, "LessThanThreshold"))
    names = {kind: alarm.name for alarm in old for kind in ("High", "Low")
             if f"-Alarm{kind}-" in alarm.name}  # fmt: skip
    policy.alarms = [
        cloudwatch.put_metric_alarm(
            region,
            AlarmName=names.pop(kind, f"TargetTracking-{policy.resource_id}-Alarm{kind}-"
                                      f"{uuid.uuid4()}"),
            AlarmDescription="DO NOT EDIT OR DELETE. For TargetTrackingScaling policy "
                             f"{policy.policy_arn}.",
            AlarmActions=[policy.policy_arn],
            EvaluationPeriods=periods,
            Threshold=threshold,
            ComparisonOperator=comparison,
            **metric,
        )
        for kind, periods, threshold, comparison in wanted
    ]  # fmt: skip
    cloudwatch.delete_alarms(region, list(names.values()))


def _metric(resource: str, given: dict[str, Any]) -> dict[str, Any]:
    """PutMetricAlarm's parameters for what a target tracking policy looks at."""
    if own := given.get("CustomizedMetricSpecification"):
        return customized(own)
    predefined = given.get("PredefinedMetricSpecification") or {}
    kind = predefined.get("PredefinedMetricType")
    if kind == "ALBRequestCountPerTarget":
        balancer, found, group = (predefined.get("ResourceLabel") or "").partition("/targetgroup/")
        if not found:
            raise AWSValidationException(
                f"ResourceLabel {balancer!r} is refused: give "
                "app/<load balancer>/<id>/targetgroup/<target group>/<id>."
            )
        return {
            "Namespace": "AWS/ApplicationELB", "MetricName": "RequestCountPerTarget",
            "Statistic": "Sum", "Period": 60,
            "Dimensions": [{"Name": "LoadBalancer", "Value": balancer},
                           {"Name": "TargetGroup", "Value": f"targetgroup/{group}"}],
        }  # fmt: skip
    if kind not in _PREDEFINED:
        raise AWSValidationException(
            f"PredefinedMetricType {kind} is refused for an ECS service: give one of "
            f"{[*_PREDEFINED, 'ALBRequestCountPerTarget']}."
        )
    _, cluster, service = resource.split("/")
    return {
        "Namespace": "AWS/ECS", "MetricName": _PREDEFINED[kind],
        "Statistic": "Average", "Period": 60, "Unit": "Percent",
        "Dimensions": [{"Name": "ClusterName", "Value": cluster},
                       {"Name": "ServiceName", "Value": service}],
    }  # fmt: skip


def customized(given: dict[str, Any]) -> dict[str, Any]:
    """PutMetricAlarm's parameters for a CustomizedMetricSpecification."""
    if not given.get("Metrics"):
        kept = ("Namespace", "MetricName", "Dimensions", "Statistic", "Unit")
        return {key: given[key] for key in kept if given.get(key)} | {"Period": 60}
    queries = []
    for query in given["Metrics"]:
        made = {key: value for key, value in query.items() if value is not None}
        if stat := made.get("MetricStat"):
            made["MetricStat"] = {"Period": 60, **stat}
        queries.append(made)
    return {"Metrics": queries}


# --- tags ----------------------------------------------------------------------------------


def operations() -> dict[tuple[str, str], Handler]:
    service = "application-autoscaling"
    return {
        (service, "RegisterScalableTarget"): _register,
        (service, "ListTagsForResource"): lambda context, given: {"Tags": _tags(context, given)},
        (service, "TagResource"): _tag,
        (service, "UntagResource"): _untag,
    }


def _backend(region: str) -> Any:
    return get_backend("applicationautoscaling")[ACCOUNT_ID][region]


def _kept(backend: Any) -> dict[tuple[str, str], dict[str, str]]:
    """(dimension, resource) → tags."""
    return vars(backend).setdefault("drydock_tags", {})


def _register(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    backend, key = _backend(context.region), (given["ScalableDimension"], given["ResourceId"])
    if key[1] not in backend.targets.get(key[0], {}):  # AWS takes tags of a new target only
        _kept(backend)[key] = dict(given.get("Tags") or {})
    return PASS


def _tags(context: Context, given: dict[str, Any]) -> dict[str, str]:
    backend = _backend(context.region)
    for dimension, found in backend.targets.items():
        for resource, target in found.items():
            if target.arn == given["ResourceARN"]:
                return _kept(backend).setdefault((dimension, resource), {})
    raise ApiError(
        "ResourceNotFoundException", f"There is no scalable target {given['ResourceARN']}."
    )


def _tag(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    _tags(context, given).update(given["Tags"])
    return {}


def _untag(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    for key in given["TagKeys"]:
        _tags(context, given).pop(key, None)
    return {}
