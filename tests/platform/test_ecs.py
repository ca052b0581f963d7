"""ECS on real containers: what a deploy, a fault and an operator see."""

import ast
import contextlib
import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from drydock.images import DEBIAN

from .conftest import Cloud, wait_for

CLUSTER = "ecs-tests"
SERVER = ["python3", "-um", "http.server", "8080"]
QUICK = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


@pytest.fixture(scope="module")
def ecs(cloud: Cloud) -> Iterator[Any]:
    client = cloud.client("ecs")
    client.create_cluster(clusterName=CLUSTER)
    yield client
    for arn in client.list_services(cluster=CLUSTER)["serviceArns"]:
        client.delete_service(cluster=CLUSTER, service=arn, force=True)
    for arn in client.list_tasks(cluster=CLUSTER)["taskArns"]:
        client.stop_task(cluster=CLUSTER, task=arn)

    def gone() -> bool:
        try:
            client.delete_cluster(cluster=CLUSTER)
        except ClientError:
            return False
        return True

    wait_for(gone, 60, "every service and task of the cluster is gone")
    left = [part.id for part in cloud.podman.parts("task")]
    assert not set(left) & {arn.split("/")[-1] for arn in _stopped(client)}


def _stopped(client: Any) -> list[str]:
    pages = client.get_paginator("list_tasks").paginate(cluster=CLUSTER, desiredStatus="STOPPED")
    try:
        return [arn for page in pages for arn in page["taskArns"]]
    except client.exceptions.ClusterNotFoundException:
        return []


@pytest.fixture
def register(ecs: Any) -> Callable[..., str]:
    def make(family: str = "server", **container: Any) -> str:
        definition = {
            "name": "server", "image": DEBIAN, "essential": True, "command": SERVER,
            "portMappings": [{"containerPort": 8080}], "stopTimeout": 2, **container,
        }  # fmt: skip
        return ecs.register_task_definition(
            family=family, networkMode="awsvpc", requiresCompatibilities=["FARGATE"],
            cpu="256", memory="128", containerDefinitions=[definition],
        )["taskDefinition"]["taskDefinitionArn"]  # fmt: skip

    return make


@pytest.fixture
def network(cloud: Cloud) -> dict:
    return {
        "awsvpcConfiguration": {
            "subnets": cloud.vpc.private_subnets,
            "securityGroups": [cloud.vpc.security_group],
        }
    }


@pytest.fixture
def create(ecs: Any, network: dict) -> Iterator[Callable[..., dict]]:
    made = []

    def create(name: str, definition: str, count: int = 2, **more: Any) -> dict:
        made.append(name)
        configuration = {"maximumPercent": 200, "minimumHealthyPercent": 100, **QUICK}
        return ecs.create_service(
            cluster=CLUSTER, serviceName=name, taskDefinition=definition, desiredCount=count,
            launchType="FARGATE", networkConfiguration=network,
            deploymentConfiguration=configuration, **more,
        )["service"]  # fmt: skip

    yield create
    for name in made:
        with contextlib.suppress(ecs.exceptions.ServiceNotFoundException):
            ecs.delete_service(cluster=CLUSTER, service=name, force=True)


@pytest.fixture
def service(ecs: Any) -> Callable[[str], dict]:
    return lambda name: ecs.describe_services(cluster=CLUSTER, services=[name])["services"][0]


@pytest.fixture
def tasks(ecs: Any) -> Callable[..., list[dict]]:
    def list_them(name: str, status: str = "RUNNING") -> list[dict]:
        arns = ecs.list_tasks(cluster=CLUSTER, serviceName=name, desiredStatus=status)["taskArns"]
        return ecs.describe_tasks(cluster=CLUSTER, tasks=arns)["tasks"] if arns else []

    return list_them


@pytest.fixture
def rolled_out(service: Callable) -> Callable[..., dict]:
    def wait(name: str, deployment: str | None = None, seconds: float = 60) -> dict:
        def done() -> dict | None:
            found = service(name)["deployments"]
            primary = found[0]
            assert deployment in (None, primary["id"]), f"another deployment: {found}"
            assert primary["rolloutState"] != "FAILED", primary["rolloutStateReason"]
            return primary if primary["rolloutState"] == "COMPLETED" else None

        return wait_for(done, seconds, f"{name} is rolled out; {service(name)['events'][:5]}")

    return wait


def _ip(task: dict) -> str:
    return task["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]


def _messages(service: dict) -> str:
    return "\n".join(event["message"] for event in service["events"])


def _image_part(cloud: Cloud, task: dict) -> str:
    return cloud.podman.part_name("task", task["taskArn"].split("/")[-1])


def test_a_service_lives_through_update_kill_and_pause(
    cloud, ecs, register, create, service, tasks, rolled_out
):
    # Patient enough for a machine that is busy with other things.
    check = {"command": ["CMD-SHELL", "curl -fsS localhost:8080"], "interval": 1, "retries": 3,
             "timeout": 8}  # fmt: skip
    first = register(healthCheck=check)
    made = create("web", first, tags=[{"key": "Owner", "value": "tests"}])
    assert made["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    rolled_out("web", made["deployments"][0]["id"])
    running = tasks("web")
    assert len(running) == 2
    assert {task["attachments"][0]["details"][0]["value"] for task in running} == set(
        cloud.vpc.private_subnets
    )
    for task in running:
        assert task["lastStatus"] == "RUNNING" and task["healthStatus"] == "HEALTHY"
        assert task["startedBy"] == made["deployments"][0]["id"]
        with urllib.request.urlopen(f"http://{_ip(task)}:8080", timeout=5) as answer:
            assert answer.status == 200
    wait_for(lambda: "steady state" in _messages(service("web")), 10, "steady")
    described = ecs.describe_services(cluster=CLUSTER, services=["web"], include=["TAGS"])
    assert described["services"][0]["tags"] == [{"key": "Owner", "value": "tests"}]
    ecs.tag_resource(resourceArn=made["serviceArn"], tags=[{"key": "Team", "value": "ops"}])
    listed = ecs.list_tags_for_resource(resourceArn=made["serviceArn"])["tags"]
    assert {tag["key"] for tag in listed} == {"Owner", "Team"}
    cluster = ecs.describe_clusters(clusters=[CLUSTER])["clusters"][0]
    assert cluster["runningTasksCount"] == 2 and cluster["activeServicesCount"] == 1
    with pytest.raises(ClientError, match="ClusterContainsServices"):
        ecs.delete_cluster(cluster=CLUSTER)

    # A new revision: never fewer than two serve, and the answer names the deployment.
    second = register(healthCheck=check, environment=[{"name": "REVISION", "value": "2"}])
    updated = ecs.update_service(cluster=CLUSTER, service="web", taskDefinition=second)["service"]
    deployment = updated["deployments"][0]["id"]
    assert [d["status"] for d in updated["deployments"]] == ["PRIMARY", "ACTIVE"]
    fewest = 99
    while (found := service("web"))["deployments"][0]["rolloutState"] != "COMPLETED":
        fewest = min(fewest, found["runningCount"])
        time.sleep(0.1)
    assert fewest >= 2
    rolled_out("web", deployment)
    assert {task["taskDefinitionArn"] for task in tasks("web")} == {second}

    # Killed: noticed and replaced at once, with its exit code kept.
    victim = tasks("web")[0]
    began = time.monotonic()
    cloud.podman.kill(_image_part(cloud, victim))
    wait_for(
        lambda: victim["taskArn"] not in [task["taskArn"] for task in tasks("web")], 2, "noticed"
    )
    wait_for(lambda: len(tasks("web")) == 2, 2, "a replacement is started")
    assert time.monotonic() - began < 3
    dead = wait_for(
        lambda: [t for t in tasks("web", "STOPPED") if t["taskArn"] == victim["taskArn"]
                 and t["lastStatus"] == "STOPPED"],
        10, "the dead task is STOPPED",
    )[0]  # fmt: skip
    assert dead["stopCode"] == "EssentialContainerExited"
    assert dead["stoppedReason"] == "Essential container in task exited"
    assert dead["containers"][0]["exitCode"] == 137
    assert service("web")["deployments"][0]["id"] == deployment
    wait_for(lambda: service("web")["runningCount"] == 2, 20, "two run again")

    # Paused: its health check fails, so it goes.
    wait_for(lambda: all(t["healthStatus"] == "HEALTHY" for t in tasks("web")), 20, "healthy")
    victim = tasks("web")[0]
    pause = ("pause", _image_part(cloud, victim))  # runc refuses while a probe starts
    wait_for(lambda: cloud.podman.command(*pause, check=False).code == 0, 10, "paused")
    gone = wait_for(
        lambda: [t for t in tasks("web", "STOPPED") if t["taskArn"] == victim["taskArn"]
                 and t["lastStatus"] == "STOPPED"],
        40, "the paused task is STOPPED",
    )[0]  # fmt: skip
    assert gone["stoppedReason"] == "Task failed container health checks"
    assert "failed container health checks" in _messages(service("web"))

    ecs.update_service(cluster=CLUSTER, service="web", desiredCount=3)
    wait_for(lambda: service("web")["runningCount"] == 3, 20, "scaled out")
    assert service("web")["deployments"][0]["id"] == deployment
    ecs.update_service(cluster=CLUSTER, service="web", desiredCount=0)
    wait_for(lambda: not tasks("web"), 20, "scaled in")
    assert ecs.delete_service(cluster=CLUSTER, service="web")["service"]["status"] == "DRAINING"
    wait_for(lambda: service("web")["status"] == "INACTIVE", 20, "inactive")
    assert made["serviceArn"] not in ecs.list_services(cluster=CLUSTER)["serviceArns"]


@pytest.fixture
def balancer(cloud: Cloud) -> Iterator[tuple[str, str]]:
    """(target group ARN, address) of a load balancer with quick health checks."""
    elbv2 = cloud.client("elbv2")
    made = elbv2.create_load_balancer(
        Name="ecs-tests",
        Subnets=cloud.vpc.public_subnets,
        SecurityGroups=[cloud.vpc.security_group],
    )["LoadBalancers"][0]
    group = elbv2.create_target_group(
        Name="ecs-tests", Protocol="HTTP", Port=8080, TargetType="ip", VpcId=cloud.vpc.id,
        HealthCheckPath="/", HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2,
        HealthyThresholdCount=2, UnhealthyThresholdCount=2,
    )["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip
    elbv2.modify_target_group_attributes(
        TargetGroupArn=group,
        Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "2"}],
    )
    elbv2.create_listener(
        LoadBalancerArn=made["LoadBalancerArn"], Protocol="HTTP", Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )  # fmt: skip
    yield group, made["DNSName"]
    elbv2.delete_load_balancer(LoadBalancerArn=made["LoadBalancerArn"])
    elbv2.delete_target_group(TargetGroupArn=group)


def test_behind_a_load_balancer_no_request_is_lost(
    cloud, ecs, register, balancer, create, service, tasks, rolled_out
):
    group, address = balancer
    definition = register("balanced")
    create(
        "balanced", definition, healthCheckGracePeriodSeconds=30,
        loadBalancers=[{"targetGroupArn": group, "containerName": "server",
                        "containerPort": 8080}],
    )  # fmt: skip
    rolled_out("balanced")

    def states() -> dict[str, str]:
        rows = cloud.client("elbv2").describe_target_health(TargetGroupArn=group)
        return {
            row["Target"]["Id"]: row["TargetHealth"]["State"]
            for row in rows["TargetHealthDescriptions"]
        }

    assert states() == {_ip(task): "healthy" for task in tasks("balanced")}
    answers: list[int | str] = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            try:
                with urllib.request.urlopen(f"http://{address}/", timeout=20) as answer:
                    answers.append(answer.status)
            except OSError as error:
                answers.append(repr(error))
            time.sleep(0.02)

    users = [threading.Thread(target=ask) for _ in range(3)]
    for user in users:
        user.start()
    try:
        updated = ecs.update_service(cluster=CLUSTER, service="balanced", forceNewDeployment=True)
        rolled_out("balanced", updated["service"]["deployments"][0]["id"], 120)
    finally:
        ended.set()
        for user in users:
            user.join()
    assert len(answers) > 50 and set(answers) == {200}
    assert states() == {_ip(task): "healthy" for task in tasks("balanced")}
    for text in ("registered 1 targets", "begun draining", "deregistered 1 targets"):
        assert text in _messages(service("balanced"))
    ecs.delete_service(cluster=CLUSTER, service="balanced", force=True)
    wait_for(lambda: service("balanced")["status"] == "INACTIVE", 40, "gone")
    assert not states()


def test_a_bad_image_is_rolled_back(ecs, register, create, service, tasks, rolled_out):
    good = register("bad-release")
    made = create("bad-release", good)
    rolled_out("bad-release")
    kept = {task["taskArn"] for task in tasks("bad-release")}
    bad = register("bad-release", command=["sh", "-c", "exit 3"])
    failing = ecs.update_service(cluster=CLUSTER, service="bad-release", taskDefinition=bad)[
        "service"
    ]["deployments"][0]["id"]

    def failed() -> dict | None:
        serving = {t["taskArn"] for t in tasks("bad-release") if t["lastStatus"] == "RUNNING"}
        assert kept <= serving
        found = {d["id"]: d for d in service("bad-release")["deployments"]}
        return found if found[failing]["rolloutState"] == "FAILED" else None

    found = wait_for(failed, 60, "the circuit breaker trips")
    reason = found[failing]["rolloutStateReason"]
    assert reason == "ECS deployment circuit breaker: tasks failed to start."
    assert found[failing]["failedTasks"] >= 3
    back = service("bad-release")["deployments"][0]
    assert back["id"] not in (failing, made["deployments"][0]["id"])
    assert back["taskDefinition"] == good
    assert made["deployments"][0]["id"] in back["rolloutStateReason"]
    rolled_out("bad-release", back["id"])
    after = service("bad-release")
    assert after["taskDefinition"] == good and after["runningCount"] == 2
    assert "rolling back to deployment" in _messages(after)
    codes = {t["containers"][0].get("exitCode") for t in tasks("bad-release", "STOPPED")}
    assert 3 in codes

    # The history says which deployment was the last good one, and what it ran.
    rows = ecs.list_service_deployments(cluster=CLUSTER, service="bad-release")[
        "serviceDeployments"
    ]
    assert [row["status"] for row in rows] == ["ROLLBACK_SUCCESSFUL", "SUCCESSFUL"]
    newest, first = ecs.describe_service_deployments(
        serviceDeploymentArns=[row["serviceDeploymentArn"] for row in rows]
    )["serviceDeployments"]
    assert newest["deploymentCircuitBreaker"]["status"] == "TRIGGERED"
    assert newest["startedAt"] < newest["rollback"]["startedAt"] < newest["finishedAt"]
    kept = first["targetServiceRevision"]["arn"]
    assert newest["rollback"]["serviceRevisionArn"] == kept
    revision, failed_one = ecs.describe_service_revisions(
        serviceRevisionArns=[kept, newest["targetServiceRevision"]["arn"]]
    )["serviceRevisions"]
    assert (revision["taskDefinition"], failed_one["taskDefinition"]) == (good, bad)
    assert revision["containerImages"][0]["imageDigest"].startswith("sha256:")


def test_a_first_release_that_fails_stays_failed(register, create, service):
    create("never", register("never", image="localhost/drydock/no-such:1"), 1)
    failed = wait_for(
        lambda: [d for d in service("never")["deployments"] if d["rolloutState"] == "FAILED"],
        60, "it fails",
    )  # fmt: skip
    assert len(failed) == 1 and failed[0]["status"] == "PRIMARY"


def test_logs_and_secrets(cloud, ecs, register, network, tasks):
    """One task by RunTask that says what it got, and what happens when something is missing."""
    group, manager, ssm = "/tests/ecs", cloud.client("secretsmanager"), cloud.client("ssm")
    logs = cloud.client("logs")
    logs.create_log_group(logGroupName=group)
    secret = manager.create_secret(
        Name="tests/ecs", SecretString=json.dumps({"password": "two\nlines", "port": 5432})
    )["ARN"]
    ssm.put_parameter(Name="/tests/ecs/level", Value="quiet", Type="SecureString")

    def options(name: str) -> dict:
        return {
            "logDriver": "awslogs",
            "options": {"awslogs-group": name, "awslogs-region": "us-east-1",
                        "awslogs-stream-prefix": "test"},
        }  # fmt: skip

    told = "import os; print({k: os.environ[k] for k in ('PASSWORD', 'PORT', 'LEVEL', 'PATH')})"
    definition = register(
        "told", command=["python3", "-c", f"{told}; print('é' * 40000); print('last', end='')"],
        logConfiguration=options(group),
        environment=[{"name": "PATH", "value": "/opt/none:/usr/bin"}],
        secrets=[
            {"name": "PASSWORD", "valueFrom": f"{secret}:password::"},
            {"name": "PORT", "valueFrom": f"{secret}:port::"},
            {"name": "LEVEL", "valueFrom": "/tests/ecs/level"},
        ],
    )  # fmt: skip

    def run(definition: str) -> dict:
        arn = ecs.run_task(
            cluster=CLUSTER, taskDefinition=definition, networkConfiguration=network,
            launchType="FARGATE", startedBy="tests",
        )["tasks"][0]["taskArn"]  # fmt: skip
        return wait_for(
            lambda: [t for t in ecs.describe_tasks(cluster=CLUSTER, tasks=[arn])["tasks"]
                     if t["lastStatus"] == "STOPPED"],
            30, "the task ends",
        )[0]  # fmt: skip

    try:
        done = run(definition)
        assert done["containers"][0]["exitCode"] == 0, done
        assert done["stopCode"] == "EssentialContainerExited"
        stream = f"test/server/{done['taskArn'].split('/')[-1]}"
        lines = logs.get_log_events(logGroupName=group, logStreamName=stream)["events"]
        said = [line["message"] for line in lines]
        assert ast.literal_eval(said[0]) == {
            "PASSWORD": "two\nlines",
            "PORT": "5432",
            "LEVEL": "quiet",
            "PATH": "/opt/none:/usr/bin",
        }
        assert said[1:] == ["é" * 40000, "last"]

        missing = run(
            register("told", secrets=[{"name": "P", "valueFrom": f"{secret}:user::"}])
        )  # fmt: skip
        assert missing["stopCode"] == "TaskFailedToStart"
        assert missing["stoppedReason"].startswith("ResourceInitializationError: unable to pull")
        assert secret in missing["stoppedReason"] and "two" not in missing["stoppedReason"]
        silent = run(register("told", logConfiguration=options("/tests/none")))
        assert "The specified log group does not exist" in silent["stoppedReason"]
        greedy = run(register("told", command=["python3", "-c", "b = bytearray(1 << 30)"]))
        assert greedy["containers"][0]["exitCode"] == 137
        assert greedy["stoppedReason"] == "OutOfMemoryError: Container killed due to memory usage"
        assert greedy["containers"][0]["reason"] == greedy["stoppedReason"]
        absent = run(register("told", image="localhost/drydock/no-such:1"))
        assert absent["stopCode"] == "TaskFailedToStart"
        assert absent["stoppedReason"].startswith("CannotPullContainerError")
        assert absent["containers"][0]["reason"] == absent["stoppedReason"]
    finally:
        manager.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
        ssm.delete_parameter(Name="/tests/ecs/level")
        logs.delete_log_group(logGroupName=group)


def test_a_stopped_task_gets_its_grace_and_is_replaced(
    cloud, ecs, register, create, tasks, rolled_out
):
    program = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.5), sys.exit(7)))\n"
        "time.sleep(600)"
    )
    create("graceful", register("graceful", command=["python3", "-c", program]), 1)
    rolled_out("graceful")
    victim = tasks("graceful")[0]["taskArn"]
    ecs.stop_task(cluster=CLUSTER, task=victim, reason="a test")
    wait_for(
        lambda: [t for t in tasks("graceful") if t["lastStatus"] == "RUNNING"
                 and t["taskArn"] != victim],
        15, "it is replaced",
    )  # fmt: skip
    stopped = wait_for(
        lambda: [t for t in ecs.describe_tasks(cluster=CLUSTER, tasks=[victim])["tasks"]
                 if t["lastStatus"] == "STOPPED"],
        15, "it is stopped",
    )[0]  # fmt: skip
    assert stopped["stopCode"] == "UserInitiated" and stopped["stoppedReason"] == "a test"
    assert stopped["containers"][0]["exitCode"] == 7
    with pytest.raises(ClientError, match="scaled above 0"):
        ecs.delete_service(cluster=CLUSTER, service="graceful")


def test_what_cannot_be_is_refused(ecs, register, create, network):
    definition = register("refused")
    with pytest.raises(ClientError, match="ClusterNotFound"):
        ecs.run_task(cluster="none", taskDefinition=definition, networkConfiguration=network)
    with pytest.raises(ClientError, match="TaskDefinition not found: none"):
        create("refused", "none")
    with pytest.raises(ClientError, match="subnet-none"):
        ecs.run_task(
            cluster=CLUSTER, taskDefinition=definition,
            networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-none"]}},
        )  # fmt: skip
    with pytest.raises(ClientError, match="associated load balancer"):
        create(
            "refused", definition,
            loadBalancers=[{"targetGroupArn": "arn:none", "containerName": "server",
                            "containerPort": 8080}],
        )  # fmt: skip
    two = ecs.register_task_definition(
        family="two", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256",
        memory="512", containerDefinitions=[{"name": n, "image": DEBIAN} for n in ("a", "b")],
    )["taskDefinition"]["taskDefinitionArn"]  # fmt: skip
    with pytest.raises(ClientError, match="one container in a task"):
        ecs.run_task(cluster=CLUSTER, taskDefinition=two, networkConfiguration=network)
