"""What runs is what was deployed."""

from collections.abc import Callable
from typing import Any

import pytest
import requests


@pytest.fixture
def service(aws: Callable[[str], Any], outputs: dict[str, Any], workload: str) -> dict[str, Any]:
    platform = outputs["platform"]
    name = platform["workloads"][workload]["service_name"]
    answer = aws("ecs").describe_services(cluster=platform["cluster_name"], services=[name])
    return answer["services"][0]


def _image(aws: Callable[[str], Any], definition: str, container: str) -> str:
    answer = aws("ecs").describe_task_definition(taskDefinition=definition)["taskDefinition"]
    return next(one["image"] for one in answer["containerDefinitions"] if one["name"] == container)


def test_all_tasks_run_the_service_s_revision(
    aws: Callable[[str], Any], outputs: dict[str, Any], workload: str, service: dict[str, Any]
) -> None:
    cluster = outputs["platform"]["cluster_name"]
    arns = aws("ecs").list_tasks(cluster=cluster, serviceName=service["serviceName"])["taskArns"]
    assert arns, f"{workload} has no task"
    tasks = aws("ecs").describe_tasks(cluster=cluster, tasks=arns)["tasks"]
    running = [task for task in tasks if task["lastStatus"] == "RUNNING"]
    assert {task["taskDefinitionArn"] for task in running} == {service["taskDefinition"]}
    assert len(running) == service["desiredCount"]


def test_the_image_is_the_deployed_revision(
    aws: Callable[[str], Any],
    outputs: dict[str, Any],
    facts: dict[str, Any],
    workload: str,
    service: dict[str, Any],
) -> None:
    target = outputs["platform"]["workloads"][workload]
    repository, _, tag = _image(
        aws, service["taskDefinition"], target["container_name"]
    ).rpartition(":")
    assert repository == target["repository_url"]
    assert tag == (facts["deployed_tags"][workload] or tag)
    found = aws("ecr").describe_images(
        repositoryName=target["repository_name"], imageIds=[{"imageTag": tag}]
    )
    assert len(found["imageDetails"]) == 1


def test_hello_says_the_deployed_revision(
    web: requests.Session,
    url: str,
    facts: dict[str, Any],
) -> None:
    tag = facts["deployed_tags"].get("hello")
    if not tag:
        pytest.skip("nothing was deployed in this run to compare with")
    assert web.get(f"{url}/revision.txt").text.strip() == tag


def test_the_deployment_is_complete_and_alone(service: dict[str, Any]) -> None:
    states = [(one["status"], one.get("rolloutState")) for one in service["deployments"]]
    assert states == [("PRIMARY", "COMPLETED")]


def test_the_load_balancer_has_healthy_targets(
    aws: Callable[[str], Any], outputs: dict[str, Any], workload: str, service: dict[str, Any]
) -> None:
    target = outputs["platform"]["workloads"][workload]
    if not target.get("target_group_arn"):
        pytest.skip(f"{workload} has no clients: its tasks' own health is asked for below")
    healthy = [
        one
        for group in (target["target_group_arn"], target["alternate_target_group_arn"])
        for one in aws("elbv2").describe_target_health(TargetGroupArn=group)[
            "TargetHealthDescriptions"
        ]
        if one["TargetHealth"]["State"] == "healthy"
    ]
    assert len(healthy) == service["desiredCount"]


def test_tasks_without_clients_find_themselves_healthy(
    aws: Callable[[str], Any], outputs: dict[str, Any], workload: str, service: dict[str, Any]
) -> None:
    if outputs["platform"]["workloads"][workload].get("target_group_arn"):
        pytest.skip(f"{workload} has clients: the load balancer judges its tasks")
    cluster = outputs["platform"]["cluster_name"]
    arns = aws("ecs").list_tasks(cluster=cluster, serviceName=service["serviceName"])["taskArns"]
    tasks = aws("ecs").describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
    healthy = [task for task in tasks if task["healthStatus"] == "HEALTHY"]
    assert len(healthy) == service["desiredCount"]


def test_what_the_running_code_may_touch_is_there(
    aws: Callable[[str], Any],
    outputs: dict[str, Any],
    facts: dict[str, Any],
    workload: str,
    service: dict[str, Any],
) -> None:
    """The inventory names resources, and a wrong name is nothing that AWS would refuse."""
    granted = facts["workloads"][workload].get("permissions", [])
    known = {text for stack in outputs.values() for text in stack.values() if isinstance(text, str)}
    named = {arn.removesuffix("/*") for grant in granted for arn in grant["resources"]}
    assert named <= known
    definition = aws("ecs").describe_task_definition(taskDefinition=service["taskDefinition"])
    role = definition["taskDefinition"]["taskRoleArn"].rpartition("/")[2]
    policies = aws("iam").list_role_policies(RoleName=role)["PolicyNames"]
    wanted = bool(granted) or facts["workloads"][workload].get("database_secret", False)
    assert policies == (["granted"] if wanted else [])


def test_logs_are_kept_as_long_as_the_inventory_says(
    aws: Callable[[str], Any], outputs: dict[str, Any], facts: dict[str, Any], workload: str
) -> None:
    name = outputs["platform"]["workloads"][workload]["log_group_name"]
    groups = aws("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    kept = {group["logGroupName"]: group.get("retentionInDays") for group in groups}
    assert kept[name] == facts["log_retention_days"]
