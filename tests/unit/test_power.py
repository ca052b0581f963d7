"""The script of the automation `power`: what sleeps wakes as it was, and nothing else does."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

PROJECT = Path(__file__).resolve().parents[2]
_spec = importlib.util.spec_from_file_location(
    "power", PROJECT / "terraform/stacks/operations/power.py"
)
power = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(power)

REGION = "us-east-1"
EVENT = {"environment": "dev", "region": REGION}
SERVICE = "service/drydock-dev/hello"


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        names = ("ecs", "rds", "application-autoscaling")
        yield {name: boto3.client(name, region_name=REGION) for name in names}


@pytest.fixture
def dev(account: dict[str, Any]) -> dict[str, Any]:
    """Three tasks of a service that scales, and a database; another environment beside."""
    ecs, rds = account["ecs"], account["rds"]
    ecs.register_task_definition(
        family="t", containerDefinitions=[{"name": "t", "image": "t", "memory": 64}]
    )
    for cluster in ("drydock-dev", "drydock-prod"):
        ecs.create_cluster(clusterName=cluster)
        ecs.create_service(cluster=cluster, serviceName="hello", taskDefinition="t", desiredCount=3)
    for environment in ("dev", "prod"):
        rds.create_db_instance(
            DBInstanceIdentifier=f"drydock-{environment}",
            DBInstanceClass="db.t4g.micro",
            Engine="postgres",
            Tags=[{"Key": "Environment", "Value": environment}],
        )
    account["application-autoscaling"].register_scalable_target(
        ServiceNamespace="ecs",
        ResourceId=SERVICE,
        ScalableDimension="ecs:service:DesiredCount",
        MinCapacity=1,
        MaxCapacity=4,
    )
    return account


def act(action: str) -> list[str]:
    return power.handler({**EVENT, "action": action}, None)["done"]


def tasks(account: dict[str, Any], cluster: str = "drydock-dev") -> int:
    found = account["ecs"].describe_services(cluster=cluster, services=["hello"])
    return found["services"][0]["desiredCount"]


def database(account: dict[str, Any], name: str = "drydock-dev") -> str:
    found = account["rds"].describe_db_instances(DBInstanceIdentifier=name)
    return found["DBInstances"][0]["DBInstanceStatus"]


def suspended(account: dict[str, Any]) -> set[bool]:
    found = account["application-autoscaling"].describe_scalable_targets(
        ServiceNamespace="ecs", ResourceIds=[SERVICE]
    )
    return set(found["ScalableTargets"][0]["SuspendedState"].values())


def test_it_sleeps_and_wakes_as_it_was(dev: dict[str, Any]) -> None:
    assert act("sleep") == ["hello: 0 tasks instead of 3", "drydock-dev: stopped"]
    assert (tasks(dev), database(dev), suspended(dev)) == (0, "stopped", {True})
    assert act("wake") == ["drydock-dev: started", "hello: 3 tasks"]
    assert (tasks(dev), database(dev), suspended(dev)) == (3, "available", {False})


def test_to_do_it_again_does_nothing(dev: dict[str, Any]) -> None:
    act("sleep")
    assert act("sleep") == []
    act("wake")
    assert act("wake") == []


def test_another_environment_is_left_alone(dev: dict[str, Any]) -> None:
    act("sleep")
    assert (tasks(dev, "drydock-prod"), database(dev, "drydock-prod")) == (3, "available")


def test_what_people_stopped_stays_stopped(dev: dict[str, Any]) -> None:
    dev["ecs"].update_service(cluster="drydock-dev", service="hello", desiredCount=0)
    dev["rds"].stop_db_instance(DBInstanceIdentifier="drydock-dev")
    assert act("sleep") == [] and act("wake") == []
    assert (tasks(dev), database(dev)) == (0, "stopped")


def test_a_sleep_that_was_broken_off_can_be_woken_from(
    dev: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_given: Any) -> None:
        raise RuntimeError("broken off")

    with monkeypatch.context() as patch:
        patch.setattr(power.Power, "_scale", fail)
        with pytest.raises(RuntimeError):
            act("sleep")
    assert act("wake") == ["hello: 3 tasks"]
    assert suspended(dev) == {False}


def test_services_wait_for_their_database(
    dev: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    act("sleep")
    monkeypatch.setattr(power, "WAIT_SECONDS", -1)
    monkeypatch.setattr(power.Power, "_status", lambda *_given: "starting")
    with pytest.raises(TimeoutError, match="drydock-dev is starting"):
        act("wake")
    assert tasks(dev) == 0
