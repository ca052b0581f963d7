"""A workload on ECS serves, as its users and the load balancer see it: for its runbooks."""

# ruff: noqa: S101 (checks that test files take over)

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

REQUESTS = 50
Client = Callable[[str], Any]


@pytest.fixture(scope="session")
def workload(facts: dict[str, Any]) -> dict[str, Any]:
    return facts["outputs"]["platform"]["workloads"][facts["host"]]


@pytest.fixture
def service(aws: Client, facts: dict[str, Any], workload: dict[str, Any]) -> dict[str, Any]:
    cluster = facts["outputs"]["platform"]["cluster_name"]
    answer = aws("ecs").describe_services(cluster=cluster, services=[workload["service_name"]])
    return answer["services"][0]


@pytest.fixture
def url(aws: Client, facts: dict[str, Any], workload: dict[str, Any]) -> str:
    """Where the workload says whether it is ready, dependencies included; else its root."""
    platform = facts["outputs"]["platform"]
    elb = aws("elbv2")
    listeners = elb.describe_listeners(LoadBalancerArn=platform["load_balancer_arn"])["Listeners"]
    patterns = [
        pattern
        for listener in listeners
        for rule in elb.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]
        if workload["target_group_arn"] in str(rule["Actions"])
        for condition in rule["Conditions"]
        for pattern in condition.get("PathPatternConfig", {}).get("Values", [])
    ]
    root = next(one.removesuffix("*") for one in patterns if one.endswith("/*"))
    base = f"{platform['url'].rstrip('/')}{root}"
    ready = f"{base}ready"
    return base if requests.get(ready, timeout=10).status_code == 404 else ready


def test_users_are_answered(workload: dict[str, Any], request: pytest.FixtureRequest) -> None:
    if not workload.get("target_group_arn"):
        pytest.skip("the workload has no clients")
    url = request.getfixturevalue("url")
    session = requests.Session()
    answers = [session.get(url, timeout=10).status_code for _ in range(REQUESTS)]
    assert answers == [200] * REQUESTS, url


def test_all_wanted_tasks_run(service: dict[str, Any]) -> None:
    assert service["runningCount"] == service["desiredCount"] > 0


def test_one_deployment_serves_alone(service: dict[str, Any]) -> None:
    found = [(one["status"], one["rolloutState"]) for one in service["deployments"]]
    assert found == [("PRIMARY", "COMPLETED")]


def test_every_task_without_clients_is_healthy(
    aws: Client, facts: dict[str, Any], service: dict[str, Any], workload: dict[str, Any]
) -> None:
    if workload.get("target_group_arn"):
        pytest.skip("the load balancer judges the tasks")
    cluster = facts["outputs"]["platform"]["cluster_name"]
    arns = aws("ecs").list_tasks(cluster=cluster, serviceName=service["serviceName"])["taskArns"]
    tasks = aws("ecs").describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
    found = [task["healthStatus"] for task in tasks]
    assert found == ["HEALTHY"] * service["desiredCount"]


def test_every_target_is_healthy(
    aws: Client, service: dict[str, Any], workload: dict[str, Any]
) -> None:
    if not workload.get("target_group_arn"):
        pytest.skip("the workload has no clients")
    groups = [workload["target_group_arn"], workload["alternate_target_group_arn"]]
    states = [
        one["TargetHealth"]["State"]
        for group in groups
        for one in aws("elbv2").describe_target_health(TargetGroupArn=group)[
            "TargetHealthDescriptions"
        ]
    ]
    # A task that was stopped finishes its requests first.
    assert [state for state in states if state != "draining"] == (
        ["healthy"] * service["desiredCount"]
    )


def test_no_alarm_of_the_runbook_is_red(aws: Client, facts: dict[str, Any]) -> None:
    found = aws("cloudwatch").describe_alarms(
        AlarmNames=[alarm["name"] for alarm in facts["alarms"]],
        AlarmTypes=["MetricAlarm", "CompositeAlarm"],
        StateValue="ALARM",
    )
    assert [one["AlarmName"] for one in found["MetricAlarms"] + found["CompositeAlarms"]] == []
