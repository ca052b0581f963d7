"""A service follows the CPU that its tasks really use."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from drydock.images import DEBIAN
from tests.platform.conftest import Cloud, wait_for

CLUSTER, RESOURCE = "scaling-tests", "service/scaling-tests/worker"
DIMENSION = "ecs:service:DesiredCount"
TARGET, MOST = 20.0, 3  # percent; tasks
# Works while a file is there: a test makes it idle or busy without a deployment.
WORKER = """
import os, time
while True:
    if os.path.exists("/tmp/busy"):
        sum(range(100_000))
    else:
        time.sleep(0.2)
"""


@dataclass
class Worker:
    cloud: Cloud
    ecs: Any
    scaling: Any

    @property
    def service(self) -> dict:
        return self.ecs.describe_services(cluster=CLUSTER, services=["worker"])["services"][0]

    @property
    def desired(self) -> int:
        return self.service["desiredCount"]

    def parts(self) -> list[str]:
        arns = self.ecs.list_tasks(cluster=CLUSTER, serviceName="worker")["taskArns"]
        found = self.ecs.describe_tasks(cluster=CLUSTER, tasks=arns)["tasks"] if arns else []
        return [
            self.cloud.podman.part_name("task", task["taskArn"].split("/")[-1])
            for task in found if task["lastStatus"] == "RUNNING"
        ]  # fmt: skip

    def work(self, busy: bool) -> None:
        for part in self.parts():
            command = ["touch" if busy else "rm", *([] if busy else ["-f"]), "/tmp/busy"]  # noqa: S108
            self.cloud.podman.execute(part, command)

    def settled(self, count: int) -> None:
        wait_for(
            lambda: self.service["runningCount"] == count
            and self.service["deployments"][0]["rolloutState"] == "COMPLETED",
            60, f"{count} tasks run",
        )  # fmt: skip

    def alarms(self) -> dict[str, dict]:
        """High and Low."""
        rows = self.cloud.client("cloudwatch").describe_alarms(
            AlarmNamePrefix=f"TargetTracking-{RESOURCE}-"
        )["MetricAlarms"]
        return {row["AlarmName"].split("-Alarm")[1].split("-")[0]: row for row in rows}

    def activities(self) -> list[dict]:
        return self.scaling.describe_scaling_activities(
            ServiceNamespace="ecs", ResourceId=RESOURCE
        )["ScalingActivities"]


@pytest.fixture
def worker(cloud: Cloud) -> Iterator[Worker]:
    ecs, scaling = cloud.client("ecs"), cloud.client("application-autoscaling")
    ecs.create_cluster(
        clusterName=CLUSTER, settings=[{"name": "containerInsights", "value": "enabled"}]
    )
    definition = ecs.register_task_definition(
        family="worker", networkMode="awsvpc", requiresCompatibilities=["FARGATE"],
        cpu="256", memory="512",
        containerDefinitions=[{"name": "worker", "image": DEBIAN, "essential": True,
                               "command": ["python3", "-c", WORKER], "stopTimeout": 2}],
    )["taskDefinition"]["taskDefinitionArn"]  # fmt: skip
    vpc = {"subnets": cloud.vpc.private_subnets, "securityGroups": [cloud.vpc.security_group]}
    ecs.create_service(
        cluster=CLUSTER, serviceName="worker", taskDefinition=definition, desiredCount=1,
        launchType="FARGATE", networkConfiguration={"awsvpcConfiguration": vpc},
    )  # fmt: skip
    made = Worker(cloud, ecs, scaling)
    made.settled(1)
    yield made
    known = {"ServiceNamespace": "ecs", "ResourceId": RESOURCE, "ScalableDimension": DIMENSION}
    scaling.deregister_scalable_target(**known)
    ecs.delete_service(cluster=CLUSTER, service="worker", force=True)
    wait_for(lambda: made.service["status"] == "INACTIVE", 60, "the service is gone")
    ecs.delete_cluster(cluster=CLUSTER)
    wait_for(lambda: not made.alarms(), 10, "the alarms of its policy are gone")


def _register(worker: Worker, least: int) -> None:
    known = {"ServiceNamespace": "ecs", "ResourceId": RESOURCE, "ScalableDimension": DIMENSION}
    worker.scaling.register_scalable_target(**known, MinCapacity=least, MaxCapacity=MOST)
    worker.scaling.put_scaling_policy(
        **known, PolicyName="cpu", PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": TARGET, "ScaleOutCooldown": 60, "ScaleInCooldown": 60,
            "PredefinedMetricSpecification": {
                "PredefinedMetricType": "ECSServiceAverageCPUUtilization"
            },
        },
    )  # fmt: skip


def test_load_scales_out_and_quiet_scales_in(worker: Worker) -> None:
    scaled = worker.cloud.settings.scaled
    _register(worker, least=2)
    wait_for(lambda: worker.desired == 2, 10, "the minimum is held")
    worker.settled(2)
    assert worker.activities()[0]["Cause"] == "minimum capacity was set to 2"

    # Without load it stays, for longer than the high alarm would take to turn red.
    until = time.monotonic() + scaled(60 * 6)
    while time.monotonic() < until:
        assert worker.desired == 2, worker.activities()[0]
        time.sleep(0.5)
    assert len(worker.activities()) == 1

    worker.work(busy=True)
    wait_for(lambda: worker.desired == MOST, scaled(60 * 12) + 20, "it scales out")
    worker.settled(MOST)
    done = worker.activities()[0]
    assert "AlarmHigh" in done["Cause"] and done["Cause"].endswith("triggered policy cpu")
    wait_for(lambda: worker.activities()[0]["StatusCode"] == "Successful", 10, "it says so")
    worker.work(busy=True)  # the new one too: more is wanted than there may be
    time.sleep(scaled(60 * 3))
    assert worker.desired == MOST and worker.alarms()["High"]["StateValue"] == "ALARM"

    worker.work(busy=False)
    wait_for(lambda: worker.desired == 2, scaled(60 * 22) + 20, "it scales in")
    assert "AlarmLow" in worker.activities()[0]["Cause"]


def test_what_a_task_uses_is_measured_and_capped(worker: Worker) -> None:
    _register(worker, least=1)
    worker.work(busy=True)
    time.sleep(worker.cloud.settings.scaled(60 * 2))

    def read(namespace: str, name: str, statistic: str) -> float | None:
        rows = worker.cloud.client("cloudwatch").get_metric_statistics(
            Namespace=namespace, MetricName=name, Statistics=[statistic], Period=5,
            Dimensions=[{"Name": "ClusterName", "Value": CLUSTER},
                        {"Name": "ServiceName", "Value": "worker"}],
            StartTime=time.time() - 10, EndTime=time.time(),
        )["Datapoints"]  # fmt: skip
        return max((row[statistic] for row in rows), default=None)

    wait_for(
        lambda: (read("AWS/ECS", "CPUUtilization", "Average") or 0) > TARGET, 30, "it is busy"
    )  # fmt: skip
    # A quarter of a processor is its 100 %: the kernel gives it no more (and counts in slices).
    assert read("AWS/ECS", "CPUUtilization", "Average") < 120
    assert 0 < read("AWS/ECS", "MemoryUtilization", "Average") < 20
    assert read("ECS/ContainerInsights", "RunningTaskCount", "Maximum") >= 1
    assert read("ECS/ContainerInsights", "DeploymentCount", "Maximum") == 1
