"""Releases that turn clients: real containers behind a real load balancer, under load."""

import io
import itertools
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from drydock.images import DEBIAN

from .conftest import Cloud, wait_for

CLUSTER, SERVICE, PORT, TRIAL = "turning", "web", 8080, 9443
GATE = """
import os
def handler(event, context):
    print(event["lifecycleStage"], event["executionDetails"])
    return {"hookStatus": os.environ["ANSWER"]}
"""
STANDING = {"minimumHealthyPercent": 100, "maximumPercent": 200,
            "deploymentCircuitBreaker": {"enable": True, "rollback": True}}  # fmt: skip
GOING = ("PENDING", "IN_PROGRESS", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS")


@dataclass
class Web:
    """One service with its two target groups, and what its clients see.

    Attributes:
        rules: clients, trial → ARN of the listener rule.
    """

    cloud: Cloud
    address: str
    groups: list[str]
    rules: dict[str, str]
    role: str
    gate: str
    versions: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def ecs(self) -> Any:
        return self.cloud.client("ecs")

    def register(self, version: str, command: str = "") -> str:
        serve = f"echo {version} > /srv/index.html; exec python3 -um http.server -d /srv {PORT}"
        container = {
            "name": "web", "image": DEBIAN, "essential": True, "stopTimeout": 2,
            "command": ["sh", "-c", command or serve], "portMappings": [{"containerPort": PORT}],
        }  # fmt: skip
        return self.ecs.register_task_definition(
            family=SERVICE, networkMode="awsvpc", requiresCompatibilities=["FARGATE"],
            cpu="256", memory="128", containerDefinitions=[container],
        )["taskDefinition"]["taskDefinitionArn"]  # fmt: skip

    def get(self, port: int = 80) -> str:
        answer = requests.get(f"http://{self.address}:{port}/", timeout=10)
        return answer.text.strip() if answer.status_code == 200 else str(answer.status_code)

    def serves(self) -> str:
        """The version that clients get: all of them, once nothing is turned."""
        (seen,) = {self.get() for _ in range(5)}
        return seen

    def release(self, strategy: str = "BLUE_GREEN", command: str = "", **more: Any) -> str:
        """Begins to release another version; returns it."""
        version = f"v{next(self.versions)}"
        configuration = {**STANDING, "strategy": strategy, "bakeTimeInMinutes": 1,
                         "lifecycleHooks": [], "alarms": {"alarmNames": [], "enable": False,
                                                          "rollback": False}, **more}  # fmt: skip
        now = self.service["loadBalancers"][0]
        self.ecs.update_service(
            cluster=CLUSTER, service=SERVICE, taskDefinition=self.register(version, command),
            deploymentConfiguration=configuration,
            loadBalancers=[self.balancer(now["targetGroupArn"], strategy != "ROLLING")],
        )  # fmt: skip
        return version

    def balancer(self, group: str, turning: bool) -> dict:
        made: dict = {"targetGroupArn": group, "containerName": "web", "containerPort": PORT}
        if turning:
            made["advancedConfiguration"] = {
                "alternateTargetGroupArn": next(g for g in self.groups if g != group),
                "productionListenerRule": self.rules["clients"],
                "testListenerRule": self.rules["trial"], "roleArn": self.role,
            }  # fmt: skip
        return made

    @property
    def service(self) -> dict:
        return self.ecs.describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]

    def turn(self) -> dict:
        """The newest service deployment."""
        listed = self.ecs.list_service_deployments(cluster=CLUSTER, service=SERVICE)
        newest = max(listed["serviceDeployments"], key=lambda one: one["createdAt"])
        return self.ecs.describe_service_deployments(
            serviceDeploymentArns=[newest["serviceDeploymentArn"]]
        )["serviceDeployments"][0]

    def stage(self, name: str, seconds: float = 90) -> dict:
        def there() -> dict | None:
            turn = self.turn()
            assert turn["status"] in GOING, turn
            return turn if turn.get("lifecycleStage") == name else None

        return wait_for(there, seconds, f"the release is at {name}")

    def ended(self, seconds: float = 120) -> dict:
        def over() -> dict | None:
            turn = self.turn()
            return turn if turn["status"] not in GOING else None

        return wait_for(over, seconds, "the release is done")

    def answer(self, status: str) -> list[dict]:
        """Has the gate answer so; returns the hooks that ask it."""
        self.cloud.client("lambda").update_function_configuration(
            FunctionName=self.gate, Environment={"Variables": {"ANSWER": status}}
        )
        return [{"hookTargetArn": self.gate, "roleArn": self.role,
                 "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"]}]  # fmt: skip


@pytest.fixture(scope="module")
def web(cloud: Cloud) -> Iterator[Web]:
    elb, iam = cloud.client("elbv2"), cloud.client("iam")
    role = iam.create_role(RoleName="turning", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.py", GATE)
    gate = cloud.client("lambda").create_function(
        FunctionName="turning-gate", Runtime="python3.13", Role=role, Handler="index.handler",
        Code={"ZipFile": packed.getvalue()}, Environment={"Variables": {"ANSWER": "SUCCEEDED"}},
        Timeout=30,
    )["FunctionArn"]  # fmt: skip
    balancer = elb.create_load_balancer(
        Name="turning", Subnets=cloud.vpc.public_subnets, SecurityGroups=[cloud.vpc.security_group]
    )["LoadBalancers"][0]
    groups = []
    for name in ("blue", "green"):
        groups.append(elb.create_target_group(
            Name=f"turning-{name}", Protocol="HTTP", Port=PORT, TargetType="ip",
            VpcId=cloud.vpc.id, HealthCheckPath="/", HealthCheckIntervalSeconds=5,
            HealthCheckTimeoutSeconds=2, HealthyThresholdCount=2, UnhealthyThresholdCount=2,
        )["TargetGroups"][0]["TargetGroupArn"])  # fmt: skip
        elb.modify_target_group_attributes(
            TargetGroupArn=groups[-1],
            Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "2"}],
        )
    forward = [{"Type": "forward", "ForwardConfig": {"TargetGroups": [
        {"TargetGroupArn": groups[0], "Weight": 100}, {"TargetGroupArn": groups[1], "Weight": 0},
    ]}}]  # fmt: skip
    rules = {}
    for name, port in (("clients", 80), ("trial", TRIAL)):
        listener = elb.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=port,
            DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig":
                             {"StatusCode": "404", "ContentType": "text/plain"}}],
        )["Listeners"][0]["ListenerArn"]  # fmt: skip
        rules[name] = elb.create_rule(
            ListenerArn=listener, Priority=1, Actions=forward,
            Conditions=[{"Field": "path-pattern", "Values": ["/*"]}],
        )["Rules"][0]["RuleArn"]  # fmt: skip
    made = Web(cloud, balancer["DNSName"], groups, rules, role, gate)
    made.ecs.create_cluster(clusterName=CLUSTER)
    vpc = {"subnets": cloud.vpc.private_subnets, "securityGroups": [cloud.vpc.security_group]}
    made.ecs.create_service(
        cluster=CLUSTER, serviceName=SERVICE, desiredCount=2, launchType="FARGATE",
        taskDefinition=made.register("v0"), networkConfiguration={"awsvpcConfiguration": vpc},
        deploymentConfiguration=STANDING, loadBalancers=[made.balancer(groups[0], turning=False)],
        healthCheckGracePeriodSeconds=30,
    )  # fmt: skip
    wait_for(lambda: made.service["deployments"][0]["rolloutState"] == "COMPLETED", 90, "v0 runs")
    yield made
    made.ecs.delete_service(cluster=CLUSTER, service=SERVICE, force=True)
    wait_for(lambda: made.service["status"] == "INACTIVE", 60, "the service is gone")
    elb.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
    for group in groups:
        elb.delete_target_group(TargetGroupArn=group)
    cloud.client("lambda").delete_function(FunctionName=gate)
    iam.delete_role(RoleName="turning")
    made.ecs.delete_cluster(cluster=CLUSTER)


@contextmanager
def clients(web: Web) -> Iterator[Counter]:
    """Clients that never stop asking, each request on a fresh connection or a kept one."""
    seen, lock, ended = Counter(), threading.Lock(), threading.Event()

    def ask(kept: bool) -> None:
        session = requests.Session()
        while not ended.is_set():
            try:
                answer = (session if kept else requests).get(f"http://{web.address}/", timeout=20)
                what = answer.text.strip() if answer.status_code == 200 else answer.status_code
            except requests.RequestException as error:
                what = repr(error)
            with lock:
                seen[what] += 1
            time.sleep(0.02)

    threads = [threading.Thread(target=ask, args=(n % 2 == 0,)) for n in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def test_a_service_that_was_rolling_is_turned_and_comes_back_to_rolling(web):
    old = web.serves()
    with clients(web) as seen:
        new = web.release()
        web.stage("BAKE_TIME")
        wait_for(lambda: web.get() == new, 30, f"clients get {new}")
        states = {one["status"]: one["runningCount"] for one in web.service["deployments"]}
        assert states == {"PRIMARY": 2, "ACTIVE": 2}, "while it bakes both are whole"
        turn = web.ended()
        assert turn["status"] == "SUCCESSFUL", turn
        assert web.service["runningCount"] == 2
        # A rolling release from where clients are now: the group that serves is named.
        rolled = f"v{next(web.versions)}"
        group = next(one for one in web.groups if one != web.groups[0])
        web.ecs.update_service(
            cluster=CLUSTER, service=SERVICE, taskDefinition=web.register(rolled),
            deploymentConfiguration={**STANDING, "strategy": "ROLLING"},
            loadBalancers=[web.balancer(group, turning=False)],
        )  # fmt: skip
        wait_for(
            lambda: web.service["deployments"][0]["rolloutState"] == "COMPLETED", 90, "it rolled"
        )
        assert web.serves() == rolled
    assert set(seen) == {old, new, rolled}, seen
    assert min(seen.values()) > 20


def test_it_can_be_tried_before_clients_see_it_and_a_hook_can_refuse(web):
    old = web.serves()
    with clients(web) as seen:
        new = web.release(lifecycleHooks=web.answer("IN_PROGRESS"))
        web.stage("POST_TEST_TRAFFIC_SHIFT")
        wait_for(lambda: web.get(TRIAL) == new, 30, "it can be tried")
        assert web.serves() == old
        web.answer("FAILED")
        turn = web.ended()
        assert turn["status"] == "ROLLBACK_SUCCESSFUL"
        assert f"{web.gate} failed at POST_TEST_TRAFFIC_SHIFT" in turn["statusReason"]
        wait_for(lambda: web.get(TRIAL) == old, 30, "the trial is turned back too")
    assert set(seen) == {old}, seen


def test_an_alarm_turns_back_while_it_bakes(web):
    alarms = web.cloud.client("cloudwatch")
    alarms.put_metric_alarm(
        AlarmName="turning-bad", Namespace="tests", MetricName="none", Statistic="Sum", Period=60,
        EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
    )  # fmt: skip
    alarms.set_alarm_state(AlarmName="turning-bad", StateValue="OK", StateReason="test")
    old = web.serves()
    with clients(web) as seen:
        watched = {"alarmNames": ["turning-bad"], "enable": True, "rollback": True}
        new = web.release(bakeTimeInMinutes=60, alarms=watched)
        web.stage("BAKE_TIME")
        wait_for(lambda: web.get() == new, 30, f"clients get {new}")
        alarms.set_alarm_state(AlarmName="turning-bad", StateValue="ALARM", StateReason="test")
        wait_for(lambda: web.get() == old, 30, "the clients are turned back")
        turn = web.ended()
    assert turn["status"] == "ROLLBACK_SUCCESSFUL"
    assert turn["alarms"]["triggeredAlarmNames"] == ["turning-bad"]
    assert set(seen) == {old, new}, seen
    alarms.delete_alarms(AlarmNames=["turning-bad"])


def test_what_never_runs_is_never_shown(web):
    old = web.serves()
    with clients(web) as seen:
        web.release(command="exit 3")
        turn = web.ended()
    assert turn["status"] == "ROLLBACK_SUCCESSFUL"
    assert "circuit breaker" in turn["statusReason"]
    assert set(seen) == {old}, seen


def test_a_canary_gets_its_share_and_can_be_stopped(web):
    old = web.serves()
    with clients(web) as seen:
        share = {"canaryPercent": 20.0, "canaryBakeTimeInMinutes": 600}
        new = web.release("CANARY", canaryConfiguration=share)
        web.stage("PRODUCTION_TRAFFIC_SHIFT")
        wait_for(lambda: seen[new], 30, "some are turned")
        before = Counter(seen)
        wait_for(lambda: sum(seen.values()) - sum(before.values()) > 400, 60, "enough is asked")
        now = Counter(seen)
        now.subtract(before)
        turn = web.turn()
        assert turn["targetServiceRevision"]["requestedProductionTrafficWeight"] == 20
        web.ecs.stop_service_deployment(
            serviceDeploymentArn=turn["serviceDeploymentArn"], stopType="ROLLBACK"
        )
        assert web.ended()["status"] == "ROLLBACK_SUCCESSFUL"
    assert set(seen) == {old, new}, seen
    # Of 400 a fifth is 80 with a deviation of 8: five of those to either side.
    assert 0.1 < now[new] / sum(now.values()) < 0.3, now
    assert web.serves() == old
