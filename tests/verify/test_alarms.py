"""Every alarm is there, tells somebody, and names a runbook that exists; services scale between
their limits; the pool of connections stands before the database."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

RUNBOOKS = Path(__file__).resolve().parent.parent.parent / "runbooks"


def _problems(alarm: dict[str, Any], topic: str) -> list[str]:
    """Return why an alarm, as DescribeAlarms shows it, would leave whoever is on call alone."""
    found = []
    if not alarm["ActionsEnabled"]:
        found.append("its actions are turned off")
    found += [
        f"{kind} does not tell {topic}"
        for kind in ("AlarmActions", "OKActions")
        if topic not in alarm[kind]
    ]
    named = re.search(r" Runbook: runbooks/([a-z0-9-]+)\.yml$", alarm.get("AlarmDescription", ""))
    if not named:
        found.append("its description does not end with a runbook")
    elif not (RUNBOOKS / f"{named[1]}.yml").is_file():
        found.append(f"there is no runbooks/{named[1]}.yml")
    return found


@pytest.fixture(scope="module")
def alarms(aws: Callable[[str], Any], facts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The environment's alarms by name, whoever made them."""
    pages = (
        aws("cloudwatch")
        .get_paginator("describe_alarms")
        .paginate(
            AlarmNamePrefix=f"drydock-{facts['environment']}-",
            AlarmTypes=["MetricAlarm", "CompositeAlarm"],
        )
    )
    return {
        alarm["AlarmName"]: alarm
        for page in pages
        for alarm in page["MetricAlarms"] + page["CompositeAlarms"]
    }


def test_every_alarm_is_there_and_none_beside(
    alarms: dict[str, Any], outputs: dict[str, Any], facts: dict[str, Any]
) -> None:
    assert set(alarms) == set(outputs["observability"]["alarms"])
    prefix = f"drydock-{facts['environment']}"
    for workload in facts["workloads"]:
        served = outputs["platform"]["workloads"][workload].get("target_group_arn")
        for subject in ("cpu", "tasks", *(("5xx", "latency", "impaired") if served else ())):
            assert f"{prefix}-{workload}-{subject}" in alarms


def test_every_alarm_tells_somebody_and_names_a_runbook(
    alarms: dict[str, Any], outputs: dict[str, Any]
) -> None:
    topic = outputs["observability"]["notification_topic_arn"]
    found = {name: _problems(alarm, topic) for name, alarm in alarms.items()}
    assert {name: problems for name, problems in found.items() if problems} == {}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"ActionsEnabled": False}, "turned off"),
        ({"AlarmActions": []}, "AlarmActions does not tell"),
        ({"OKActions": ["arn:aws:sns:us-east-1:1:other"]}, "OKActions does not tell"),
        ({"AlarmDescription": "Something is wrong."}, "does not end with a runbook"),
        ({"AlarmDescription": "Wrong. Runbook: runbooks/hope.yml"}, "no runbooks/hope.yml"),
    ],
)
def test_an_alarm_that_leaves_people_alone_is_noticed(
    alarms: dict[str, Any], outputs: dict[str, Any], change: dict[str, Any], problem: str
) -> None:
    topic = outputs["observability"]["notification_topic_arn"]
    doctored = next(iter(alarms.values())) | change
    assert problem in " ".join(_problems(doctored, topic))


def test_the_connections_alarm_follows_the_database_s_limit(
    alarms: dict[str, Any], outputs: dict[str, Any], facts: dict[str, Any]
) -> None:
    limit = outputs["data"]["database_max_connections"]
    alarm = alarms[f"drydock-{facts['environment']}-database-connections"]
    assert 0.75 * limit < alarm["Threshold"] <= 0.8 * limit


def test_only_alarms_of_this_account_publish_to_the_encrypted_topic(
    aws: Callable[[str], Any], outputs: dict[str, Any], facts: dict[str, Any]
) -> None:
    topic = outputs["observability"]["notification_topic_arn"]
    attributes = aws("sns").get_topic_attributes(TopicArn=topic)["Attributes"]
    assert attributes["KmsMasterKeyId"] == outputs["foundation"]["kms_key_arn"]
    statements = json.loads(attributes["Policy"])["Statement"]
    assert [one["Principal"] for one in statements] == [{"Service": "cloudwatch.amazonaws.com"}]
    accounts = {one["Condition"]["StringEquals"]["aws:SourceAccount"] for one in statements}
    assert accounts == {facts["account_id"]}


def test_the_dashboard_shows_every_alarm(
    aws: Callable[[str], Any], alarms: dict[str, Any], outputs: dict[str, Any]
) -> None:
    name = outputs["observability"]["dashboard_name"]
    body = json.loads(aws("cloudwatch").get_dashboard(DashboardName=name)["DashboardBody"])
    shown = {
        arn
        for widget in body["widgets"]
        if widget["type"] == "alarm"
        for arn in widget["properties"]["alarms"]
    }
    assert shown == {alarm["AlarmArn"] for alarm in alarms.values()}


def test_the_service_scales_between_its_limits(
    aws: Callable[[str], Any], outputs: dict[str, Any], facts: dict[str, Any], workload: str
) -> None:
    platform = outputs["platform"]
    service = platform["workloads"][workload]["service_name"]
    resource = f"service/{platform['cluster_name']}/{service}"
    scaling = aws("application-autoscaling")
    targets = scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[resource])
    shape = facts["workloads"][workload]
    limits = [(one["MinCapacity"], one["MaxCapacity"]) for one in targets["ScalableTargets"]]
    assert limits == [(int(shape["min_count"]), int(shape["max_count"]))]
    policies = scaling.describe_scaling_policies(ServiceNamespace="ecs", ResourceId=resource)
    assert [one["PolicyType"] for one in policies["ScalingPolicies"]] == ["TargetTrackingScaling"]
    found = aws("ecs").describe_services(cluster=platform["cluster_name"], services=[service])
    assert limits[0][0] <= found["services"][0]["desiredCount"] <= limits[0][1]


def test_the_proxy_has_the_database_behind_it(
    aws: Callable[[str], Any], outputs: dict[str, Any]
) -> None:
    name = outputs["data"].get("database_proxy_name")
    if not name:
        pytest.skip("database.proxy is off in this environment's inventory")
    proxy = aws("rds").describe_db_proxies(DBProxyName=name)["DBProxies"][0]
    assert (proxy["Status"], proxy["RequireTLS"]) == ("available", True)
    assert proxy["Endpoint"] == outputs["data"]["database_proxy_address"]
    ids = outputs["foundation"]["security_group_ids"]
    assert proxy["VpcSecurityGroupIds"] == [ids["database_proxy"]]
    targets = aws("rds").describe_db_proxy_targets(DBProxyName=name)["Targets"]
    states = [(one["RdsResourceId"], one["TargetHealth"]["State"]) for one in targets]
    assert states == [(outputs["data"]["database_identifier"], "AVAILABLE")]
