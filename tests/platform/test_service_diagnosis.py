"""What the runbooks on ECS services see and do, on a small service with real faults."""

import contextlib
import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible.plugins.loader import init_plugin_loader

from drydock import lifecycle
from drydock.images import DEBIAN
from drydock.settings import PROJECT
from tests.site.site import load

from .conftest import Cloud, wait_for

init_plugin_loader([str(PROJECT / "collections")])

from ansible_collections.drydock.ops.plugins.module_utils.ecs import Service, short  # noqa: E402
from ansible_collections.drydock.ops.plugins.module_utils.journal import Journal  # noqa: E402
from ansible_collections.drydock.ops.plugins.module_utils.runs import Run  # noqa: E402
from ansible_collections.drydock.ops.plugins.module_utils.service_facts import (  # noqa: E402
    ServiceFacts,
)
from ansible_collections.drydock.ops.plugins.modules import (  # noqa: E402
    ecs_change,
    ecs_replace_tasks,
    service_diagnosis,
)

NAME = "diagnosed"
PERIOD = 5
# Logs one line of JSON per request, as the workloads do; STATUS is what it answers.
PROGRAM = r"""
import http.server, json, os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
status = int(os.environ.get("STATUS", "200"))
if status == 0:
    print("DATABASE_HOST is not set, password=hunter2", flush=True)
    sys.exit(78)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        code = 200 if self.path == "/health" else status
        self.send_response(code)
        self.send_header("Content-Length", "0")
        self.end_headers()
        if self.path != "/health":
            print(json.dumps({"event": "request", "status": code}), flush=True)
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""


class Small:
    """A service of two tasks behind a load balancer of its own."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.ecs, self.elb = cloud.client("ecs"), cloud.client("elbv2")
        self.scaling = cloud.client("application-autoscaling")
        vpc = cloud.vpc
        self.log_group = f"/tests/{NAME}"
        cloud.client("logs").create_log_group(logGroupName=self.log_group)
        balancer = self.elb.create_load_balancer(
            Name=NAME, Subnets=vpc.public_subnets, SecurityGroups=[vpc.security_group]
        )["LoadBalancers"][0]
        self.balancer = balancer["LoadBalancerArn"]
        self.group = self.elb.create_target_group(
            Name=NAME, Protocol="HTTP", Port=8080, VpcId=vpc.id, TargetType="ip",
            HealthCheckPath="/health", HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2,
            HealthyThresholdCount=2, UnhealthyThresholdCount=2,
        )["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip
        self.elb.modify_target_group_attributes(
            TargetGroupArn=self.group,
            Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "1"}],
        )
        self.elb.create_listener(
            LoadBalancerArn=self.balancer, Protocol="HTTP", Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": self.group}],
        )  # fmt: skip
        self.ecs.create_cluster(clusterName=NAME)
        self.first = self.register()
        self.ecs.create_service(
            cluster=NAME, serviceName=NAME, taskDefinition=self.first, desiredCount=2,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {
                "subnets": vpc.private_subnets, "securityGroups": [vpc.security_group]}},
            loadBalancers=[{"targetGroupArn": self.group, "containerName": NAME,
                            "containerPort": 8080}],
        )  # fmt: skip
        self.scaling.register_scalable_target(
            ServiceNamespace="ecs", ResourceId=f"service/{NAME}/{NAME}",
            ScalableDimension="ecs:service:DesiredCount", MinCapacity=2, MaxCapacity=4,
        )  # fmt: skip
        self.table = f"{NAME}-locks"
        cloud.client("dynamodb").create_table(
            TableName=self.table, BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "LockID", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "LockID", "AttributeType": "S"}],
        )  # fmt: skip
        self.complete()

    def register(self, **container: Any) -> str:
        definition = {
            "name": NAME, "image": DEBIAN, "essential": True, "stopTimeout": 2,
            "command": ["python3", "-uc", PROGRAM], "portMappings": [{"containerPort": 8080}],
            "logConfiguration": {"logDriver": "awslogs", "options": {
                "awslogs-group": self.log_group, "awslogs-region": "us-east-1",
                "awslogs-stream-prefix": "task"}},
            **container,
        }  # fmt: skip
        return self.ecs.register_task_definition(
            family=NAME, networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256",
            memory="512", containerDefinitions=[definition],
        )["taskDefinition"]["taskDefinitionArn"]  # fmt: skip

    def run(self, arn: str) -> None:
        self.ecs.update_service(cluster=NAME, service=NAME, taskDefinition=arn)
        self.complete()

    def describe(self) -> dict:
        return self.ecs.describe_services(cluster=NAME, services=[NAME])["services"][0]

    def healthy(self) -> int:
        found = self.elb.describe_target_health(TargetGroupArn=self.group)
        states = [one["TargetHealth"]["State"] for one in found["TargetHealthDescriptions"]]
        return states.count("healthy")

    def complete(self) -> None:
        def done() -> bool:
            deployments = self.describe()["deployments"]
            return (
                [one["rolloutState"] for one in deployments] == ["COMPLETED"]
                and deployments[0]["runningCount"] == deployments[0]["desiredCount"]
                and self.healthy() >= 2
            )

        wait_for(done, 60, "the deployment is complete")

    @property
    def url(self) -> str:
        (found,) = [b for b in self.cloud.status()["load_balancers"] if b["name"] == NAME]
        return f"http://{found['address']}/"

    # --- the modules -------------------------------------------------------------------

    def ask(self, question: str) -> dict[str, Any]:
        """What service_diagnosis answers."""
        want = {
            "question": question, "workload": NAME, "command": "run", "cluster": NAME,
            "service": NAME, "target_group_arn": self.group,
            "target_group_suffix": self.group.split(":", 5)[5],
            "load_balancer": self.balancer.split(":loadbalancer/")[1],
            "repository_url": "none", "repository_name": "none", "database": {},
            "max_share": 0.5, "period": PERIOD,
        }  # fmt: skip
        answer = service_diagnosis.answer(want, ServiceFacts(self.cloud.client, want, time.time()))
        json.dumps(answer)  # what a module returns is JSON
        print("\n".join([*answer["seen"], json.dumps(answer["decision"], indent=1)]))
        return answer

    @property
    def service(self) -> Service:
        return Service(self.ecs, NAME, NAME)

    @property
    def journal(self) -> Journal:
        journal = Journal(self.cloud.client("dynamodb"), self.table, "tests", Run.current())
        journal.open("test")
        return journal

    def change(self, answer: dict[str, Any], **want: Any) -> dict[str, Any]:
        """Runs ecs_change to its end, first in check mode, which must change nothing."""
        want = {
            "instead_of": answer["current"], "task_definition": "", "desired_count": None,
            "max_count": answer["maximum"], "region": "us-east-1", **want,
        }  # fmt: skip
        before = self.describe()
        checked = ecs_change.start(self.service, want, None, self.scaling)
        assert checked["changed"]
        assert self.describe()["deployments"][0]["id"] == before["deployments"][0]["id"]
        assert self.describe()["desiredCount"] == before["desiredCount"]
        journal = self.journal
        seen = ecs_change.start(self.service, want, journal, self.scaling)
        assert seen["diff"] == checked["diff"]
        end = time.monotonic() + 60
        while not seen["finished"]:
            assert time.monotonic() < end, seen
            seen = ecs_change.watch(self.service, seen["deployment"], journal, 5)
        assert not ecs_change.start(self.service, want, journal, self.scaling)["changed"]
        return {**seen, "diff": checked["diff"], "left": journal.unfinished()}


@pytest.fixture(scope="module")
def small(cloud: Cloud) -> Iterator[Small]:
    made = Small(cloud)
    with load(made.url, threads=3, pause=0.02) as traffic:
        # A release that was never measured, and replaced at once, is not returned to.
        proven = time.monotonic() + 3 * PERIOD
        wait_for(lambda: time.monotonic() > proven and traffic.total > 100, 60, "it has served")
        yield made
    ecs = made.ecs
    ecs.delete_service(cluster=NAME, service=NAME, force=True)

    def gone() -> bool:
        with contextlib.suppress(Exception):
            ecs.delete_cluster(cluster=NAME)
            return True
        return False

    wait_for(gone, 60, "the cluster is gone")
    made.elb.delete_load_balancer(LoadBalancerArn=made.balancer)
    made.elb.delete_target_group(TargetGroupArn=made.group)
    cloud.client("logs").delete_log_group(logGroupName=made.log_group)
    cloud.client("dynamodb").delete_table(TableName=made.table)
    cloud.client("application-autoscaling").deregister_scalable_target(
        ServiceNamespace="ecs",
        ResourceId=f"service/{NAME}/{NAME}",
        ScalableDimension="ecs:service:DesiredCount",
    )


def _until(small: Small, question: str, cause: str, seconds: float = 60) -> dict[str, Any]:
    """Asks again until the metrics tell of the fault."""
    found: dict[str, Any] = {}

    def told() -> bool:
        found.update(small.ask(question))
        return found["decision"]["cause"] == cause

    wait_for(told, seconds, f"{question}: {cause}", every=2)
    return found


def test_a_sound_service_has_no_cause(small: Small) -> None:
    wait_for(lambda: "requests no data" not in " ".join(small.ask("errors")["seen"]), 30, "metrics")
    for question in ("errors", "tasks"):
        decision = small.ask(question)["decision"]
        assert (decision["cause"], decision["action"]) == ("unknown", "none")


def test_a_bad_release_is_rolled_back_with_its_configuration(small: Small) -> None:
    bad = small.register(environment=[{"name": "STATUS", "value": "500"}])
    small.run(bad)
    answer = _until(small, "errors", "bad_deploy")
    decision = answer["decision"]
    assert decision["action"] == "rollback"
    assert decision["definition"] == short(small.first)
    assert any("all of its tasks that were asked fail (2 of 2)" in one
               for one in decision["because"])  # fmt: skip
    done = small.change(answer, task_definition=decision["definition"])
    assert small.describe()["taskDefinition"] == small.first
    assert done["diff"]["before"]["containerDefinitions"][0]["environment"]
    assert "environment" not in done["diff"]["after"]["containerDefinitions"][0]
    assert done["left"] == []  # a roll back that is complete stays
    (action,) = done["runbook_evidence"]["actions"]
    assert short(small.first) in action["what"]


def _calm(small: Small) -> None:
    """Waits until the errors of the test before are too long ago to be taken for new ones."""
    wait_for(lambda: "is not seen" in small.ask("errors")["seen"][0], 60, "calm", every=2)
    wait_for(lambda: small.ask("errors")["decision"]["cause"] == "unknown", 60, "calm", every=2)


def test_the_bad_one_is_not_returned_to(small: Small) -> None:
    """History: good, bad, good, and now another bad one."""
    _calm(small)
    bad = small.register(environment=[{"name": "STATUS", "value": "503"}])
    small.run(bad)
    try:
        answer = _until(small, "errors", "bad_deploy")
        assert answer["decision"]["definition"] == short(small.first)
    finally:
        small.run(small.first)


@pytest.fixture
def fault(small: Small) -> Iterator[Callable[..., None]]:
    def inject(kind: str, **options: Any) -> None:
        given = {"kind": kind, "target": NAME, "options": options}
        lifecycle.command(small.cloud.settings, "fault", given)

    yield inject
    lifecycle.command(small.cloud.settings, "undo", {"all": True})


def test_a_task_that_fails_alone_is_replaced(small: Small, fault: Callable[..., None]) -> None:
    _calm(small)
    fault("errors", share=1.0, status=500, tasks="1")
    answer = _until(small, "errors", "sick_tasks")
    (sick,) = answer["decision"]["tasks"]
    replacement = ecs_replace_tasks.Replacement(small.service, small.elb, [small.group])
    want = {"tasks": [sick], "why": "test", "max_share": 0.5, "wait_timeout": 60}
    assert ecs_replace_tasks.run(replacement, want, None)["stopped"] == [sick]
    assert replacement.present([sick])
    assert ecs_replace_tasks.run(replacement, want, small.journal)["changed"]
    assert not replacement.present([sick])
    assert small.healthy() >= 2
    assert not ecs_replace_tasks.run(replacement, want, small.journal)["changed"]
    (stopped,) = [task for task in small.service.tasks("STOPPED") if short(task["taskArn"]) == sick]
    assert stopped["stopCode"] == "UserInitiated"


def test_a_paused_task_is_told_before_ecs_replaces_it(
    small: Small, fault: Callable[..., None]
) -> None:
    _calm(small)
    fault("pause", tasks="1")

    def told() -> bool:
        decision = small.ask("tasks")["decision"]
        return decision["cause"] == "hung" and decision["action"] == "restart"

    wait_for(told, 30, "the paused task is told", every=0.5)


def test_scaling_out_stays_within_the_limit(small: Small) -> None:
    small.complete()
    answer = small.ask("errors")
    assert answer["maximum"] == 4
    small.change(answer, desired_count=3)
    assert small.describe()["desiredCount"] == 3
    want = {"instead_of": answer["current"], "task_definition": "", "max_count": 4}
    for count in (5, 2):
        with pytest.raises(ecs_change.DeploymentFailed, match="max_count=4"):
            ecs_change.start(small.service, {**want, "desired_count": count}, None, small.scaling)
    small.ecs.update_service(cluster=NAME, service=NAME, desiredCount=2)
    small.complete()


def test_tasks_without_their_secret_are_led_back(small: Small) -> None:
    secrets = small.cloud.client("secretsmanager")
    name = f"{NAME}-{uuid.uuid4().hex[:6]}"
    arn = secrets.create_secret(Name=name, SecretString="hunter2")["ARN"]
    small.run(small.register(secrets=[{"name": "KEY", "valueFrom": arn}]))
    secrets.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
    running = small.service.tasks("RUNNING")[0]
    (part,) = [p for p in small.cloud.podman.parts("task") if p.id == short(running["taskArn"])]
    small.cloud.podman.kill(part.name)
    answer = _until(small, "tasks", "secret")
    decision = answer["decision"]
    assert decision["action"] == "rollback", decision
    assert arn in " ".join(decision["because"])
    small.change(answer, task_definition=decision["definition"])
    wait_for(lambda: small.healthy() == 2, 30, "both tasks serve")


def test_tasks_that_exit_at_once_are_told_in_their_own_words(small: Small) -> None:
    failing = small.register(environment=[{"name": "STATUS", "value": "0"}])
    small.ecs.update_service(cluster=NAME, service=NAME, taskDefinition=failing)

    def ended() -> bool:  # wholly: its exit code and last words come after the reason of its stop
        return any(
            task["taskDefinitionArn"] == failing and task["lastStatus"] == "STOPPED"
            for task in small.service.tasks("STOPPED")
        )

    wait_for(ended, 60, "a task has ended")
    answer = _until(small, "tasks", "exit")
    said = " ".join(answer["decision"]["because"])
    assert "exit code 78" in said
    assert "DATABASE_HOST is not set" in said
    assert "hunter2" not in said
    assert answer["decision"]["action"] == "rollback"
