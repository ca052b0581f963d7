"""What ECS remembers of deployments, and alarms that fail one."""

from types import SimpleNamespace

import pytest

from drydock.controllers.ecs import EcsController, alarms
from drydock.controllers.ecs.model import Service, Task
from drydock.errors import ApiError
from drydock.metrics import Metrics
from drydock.moto import ecs
from drydock.moto.api import Context
from drydock.moto.ecs import Definition
from drydock.settings import Settings

HERE = Context("us-east-1")
BREAKER = {"enable": True, "rollback": True}


def definition(number: int) -> Definition:
    container = {"name": "web", "image": f"web:{number}"}
    return Definition(f"arn:web:{number}", "web", True, "awsvpc", (container,), (), 256, 512)


class Site:
    """The controller over one service, whose tasks do at once what the test says."""

    def __init__(self, tmp_path, monkeypatch, breaker: dict | None, alarm: dict | None):
        self.broken, self.now, self.alarms = set(), 1000.0, {}
        cloud = SimpleNamespace(settings=Settings(tmp_path, 4720, 4721), metrics=Metrics())
        self.controller = EcsController(cloud)
        monkeypatch.setattr(self.controller._engine, "run", self._run)
        monkeypatch.setattr("time.monotonic", lambda: self.now)
        monkeypatch.setattr(ecs, "cluster_active", lambda region, name: True)
        monkeypatch.setattr(alarms.cloudwatch, "alarm", lambda region, name: self.alarms.get(name))
        monkeypatch.setattr(
            "drydock.controllers.ecs.ec2.subnet", lambda name: SimpleNamespace(id=name, zone="a")
        )
        configuration = {"minimumHealthyPercent": 100, "maximumPercent": 200,
                         "deploymentCircuitBreaker": breaker or {"enable": False}}  # fmt: skip
        if alarm:
            configuration["alarms"] = alarm
        vpc = {"awsvpcConfiguration": {"subnets": ["s-1"]}}
        attributes = {"deploymentConfiguration": configuration, "networkConfiguration": vpc,
                      "launchType": "FARGATE", "propagateTags": "NONE",
                      "enableECSManagedTags": False}  # fmt: skip
        self.service = Service("us-east-1", "c", "web", attributes, 2)
        self.controller.registry.services["us-east-1", "c", "web"] = self.service
        self.deploy(1)

    def _run(self, task: Task) -> None:
        if task.definition.arn in self.broken:
            task.stop("EssentialContainerExited", "Essential container in task exited")
            task.status = "STOPPED"
        else:
            task.status, task.began, task.checked, task.health = "RUNNING", 0.0, True, "HEALTHY"
            task.deployment.digest = f"sha256:{task.definition.arn[-1]}"

    def deploy(self, number: int) -> None:
        self.service.attributes["taskDefinition"] = f"arn:web:{number}"
        alive = [t for t in self.controller.registry.of(self.service) if t.alive]
        self.service.deploy(definition(number), len(alive))

    def step(self, seconds: float = 1.0) -> None:
        for task in self.controller.registry.of(self.service):
            if task.leaving:
                task.status = "STOPPED"
        self.controller.reconcile()
        self.now += seconds

    def settle(self, steps: int = 60) -> None:
        for _ in range(steps):
            self.step()

    def call(self, action: str, **params) -> dict:
        return self.controller.operations()["ecs", action](HERE, params)

    def listed(self, **params) -> list[dict]:
        return self.call("ListServiceDeployments", service="web", cluster="c", **params)[
            "serviceDeployments"
        ]

    def described(self, number: int = 0) -> dict:
        arn = self.listed()[number]["serviceDeploymentArn"]
        return self.call("DescribeServiceDeployments", serviceDeploymentArns=[arn])[
            "serviceDeployments"
        ][0]

    def revision(self, arn: str) -> dict:
        made = self.call("DescribeServiceRevisions", serviceRevisionArns=[arn])
        return made["serviceRevisions"][0]


@pytest.fixture
def site(tmp_path, monkeypatch):
    def make(breaker: dict | None = BREAKER, **alarm) -> Site:
        return Site(tmp_path, monkeypatch, breaker, alarm)

    return make


def test_a_deployment_that_ends_well(site):
    web = site()
    assert web.listed()[0]["status"] == "IN_PROGRESS" and not web.listed()[0]["finishedAt"]
    web.settle()
    shown = web.described()
    assert shown["status"] == "SUCCESSFUL" and shown["startedAt"] <= shown["finishedAt"]
    assert shown["sourceServiceRevisions"] == [] and "rollback" not in shown
    assert shown["targetServiceRevision"]["runningTaskCount"] == 2
    assert shown["deploymentCircuitBreaker"]["status"] == "MONITORING_COMPLETE"
    revision = web.revision(shown["targetServiceRevision"]["arn"])
    assert revision["taskDefinition"] == "arn:web:1"
    assert revision["containerImages"] == [
        {"containerName": "web", "image": "web:1", "imageDigest": "sha256:1"}
    ]


def test_the_last_good_one_is_found_after_a_rollback(site):
    web = site()
    web.settle()
    web.broken = {"arn:web:2"}
    web.deploy(2)
    web.settle()
    assert [row["status"] for row in web.listed()] == ["ROLLBACK_SUCCESSFUL", "SUCCESSFUL"]
    shown, good = web.described(0), web.described(1)
    assert shown["deploymentCircuitBreaker"] == {
        "status": "TRIGGERED", "failureCount": 4, "threshold": 3  # two at a time
    }  # fmt: skip
    assert "circuit breaker" in shown["rollback"]["reason"]
    target = good["targetServiceRevision"]
    assert shown["rollback"]["serviceRevisionArn"] == target["arn"]
    assert [row["arn"] for row in shown["sourceServiceRevisions"]] == [target["arn"]]
    assert target["runningTaskCount"] == target["requestedTaskCount"] == 2
    assert web.revision(shown["targetServiceRevision"]["arn"])["taskDefinition"] == "arn:web:2"
    assert web.service.describe([])["taskDefinition"] == "arn:web:1"


def test_without_rollback_it_has_stopped(site):
    web = site({"enable": True, "rollback": False})
    web.settle()
    web.broken = {"arn:web:2"}
    web.deploy(2)
    web.settle()
    assert web.described()["status"] == "STOPPED" and web.described()["stoppedAt"]


def test_a_newer_one_stops_it(site):
    web = site()
    web.settle()
    web.broken = {"arn:web:2"}
    web.deploy(2)
    web.step()
    web.deploy(3)
    web.settle()
    assert [row["status"] for row in web.listed()] == ["SUCCESSFUL", "STOPPED", "SUCCESSFUL"]
    assert "newer service deployment" in web.described(1)["statusReason"]
    assert len(web.listed(status=["SUCCESSFUL"])) == 2


def test_a_rollback_on_request(site):
    web = site(None)
    web.settle()
    web.broken = {"arn:web:2"}
    web.deploy(2)
    web.settle(10)
    name = web.listed()[0]["serviceDeploymentArn"]
    web.call("StopServiceDeployment", serviceDeploymentArn=name)
    web.settle()
    assert web.described()["status"] == "ROLLBACK_SUCCESSFUL"
    with pytest.raises(ApiError, match="ROLLBACK_SUCCESSFUL"):
        web.call("StopServiceDeployment", serviceDeploymentArn=name)


def test_what_is_not_known_is_a_failure(site):
    made = site().call("DescribeServiceDeployments", serviceDeploymentArns=["arn:none"])
    assert made == {
        "serviceDeployments": [], "failures": [{"arn": "arn:none", "reason": "MISSING"}]
    }  # fmt: skip


# --- alarms --------------------------------------------------------------------------------

WATCH = {"alarmNames": ["errors"], "enable": True, "rollback": True}


def alarm(state: str) -> SimpleNamespace:
    return SimpleNamespace(state=state, parameters={"Period": 60, "EvaluationPeriods": 2})


def test_an_alarm_during_a_deployment_rolls_it_back(site):
    web = site(None, **WATCH)
    web.alarms["errors"] = alarm("OK")
    web.settle()
    assert web.described()["status"] == "SUCCESSFUL"
    web.deploy(2)
    web.step()
    web.step()
    web.alarms["errors"].state = "ALARM"
    web.settle()
    shown = web.described()
    assert shown["status"] == "ROLLBACK_SUCCESSFUL"
    assert shown["alarms"] == {
        "status": "TRIGGERED", "alarmNames": ["errors"], "triggeredAlarmNames": ["errors"]
    }  # fmt: skip
    assert web.service.primary.definition.arn == "arn:web:1"
    assert any("alarm detected" in event["message"] for event in web.service.events)


def test_it_stands_for_as_long_as_the_alarm_looks_back(site):
    web = site(None, **WATCH)
    web.alarms["errors"] = alarm("OK")
    web.settle(8)  # two minutes of AWS are ten seconds here
    assert web.described()["status"] == "IN_PROGRESS"
    web.settle(8)
    assert web.described()["status"] == "SUCCESSFUL"


def test_an_alarm_that_was_red_before_fails_nothing(site):
    web = site(None, **WATCH)
    web.alarms["errors"] = alarm("ALARM")
    web.settle()
    assert web.described()["status"] == "SUCCESSFUL"


def test_alarms_that_are_not_enabled_are_not_watched(site):
    web = site(None, **WATCH | {"enable": False})
    web.step()
    web.alarms["errors"] = alarm("ALARM")
    web.settle()
    assert web.described()["status"] == "SUCCESSFUL"
    assert web.described()["alarms"]["status"] == "DISABLED"
