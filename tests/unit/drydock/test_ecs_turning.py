"""Clients turned to a new revision: stages, weights, what refuses, and the way back."""

import itertools
import json
from types import SimpleNamespace

import pytest

from drydock.controllers.ecs import EcsController, alarms, hooks, shift, strategy
from drydock.controllers.ecs.history import rollout_arn
from drydock.controllers.ecs.model import Service, Task
from drydock.errors import ApiError
from drydock.metrics import Metrics
from drydock.moto import ecs
from drydock.moto.api import Context
from drydock.moto.ecs import Definition
from drydock.settings import Settings

HERE = Context("us-east-1")
BREAKER = {"enable": True, "rollback": True}
ADVANCED = {"alternateTargetGroupArn": "green", "productionListenerRule": "clients",
            "testListenerRule": "trial", "roleArn": "role"}  # fmt: skip
BALANCER = {"targetGroupArn": "blue", "containerName": "web", "containerPort": 80}
HOOK = {"hookTargetArn": "gate", "roleArn": "role", "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"]}


class Site:
    """The controller over one service whose tasks start at once; rules are a dictionary."""

    def __init__(self, tmp_path, monkeypatch, **configuration):
        self.broken, self.now, self.alarms, self.answers = set(), 1000.0, {}, []
        self.rules, self.turned, self.asked = {}, [], []
        cloud = SimpleNamespace(settings=Settings(tmp_path, 4720, 4721), metrics=Metrics())
        self.controller = EcsController(cloud)
        monkeypatch.setattr(self.controller._engine, "run", self._run)
        monkeypatch.setattr("time.monotonic", lambda: self.now)
        monkeypatch.setattr(ecs, "cluster_active", lambda region, name: True)
        monkeypatch.setattr(alarms.cloudwatch, "alarm", lambda region, name: self.alarms.get(name))
        monkeypatch.setattr(shift.elbv2_rules, "share_out", self._share_out)
        monkeypatch.setattr(hooks.awslambda, "invoke", self._answer)
        # A hook's thread is run to its end where it is started.
        monkeypatch.setattr(hooks.threading, "Thread", _AtOnce)
        monkeypatch.setattr(
            "drydock.controllers.ecs.ec2.subnet", lambda name: SimpleNamespace(id=name, zone="a")
        )
        self.configuration = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 2,
                              "minimumHealthyPercent": 100, "maximumPercent": 200,
                              "deploymentCircuitBreaker": BREAKER, **configuration}  # fmt: skip
        rolling = {**self.configuration, "strategy": "ROLLING"}
        attributes = {"deploymentConfiguration": rolling, "launchType": "FARGATE",
                      "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["s-1"]}},
                      "propagateTags": "NONE", "enableECSManagedTags": False,
                      "loadBalancers": [BALANCER]}  # fmt: skip
        self.service = Service("us-east-1", "c", "web", attributes, 2)
        self.controller.registry.services["us-east-1", "c", "web"] = self.service
        self.deploy(1)
        self.run_until(lambda: self.rollout.status == "SUCCESSFUL")
        attributes["deploymentConfiguration"] = self.configuration
        attributes["loadBalancers"] = [{**BALANCER, "advancedConfiguration": ADVANCED}]

    def _run(self, task: Task) -> None:
        if task.definition.arn in self.broken:
            task.stop("EssentialContainerExited", "Essential container in task exited")
            task.status = "STOPPED"
        else:
            task.status, task.began, task.checked, task.health = "RUNNING", 0.0, True, "HEALTHY"

    def _share_out(self, rule: str, shares: dict[str, float]) -> None:
        self.rules[rule] = shares
        self.turned.append((rule, shares["green"]))

    def _answer(self, arn: str, event: dict) -> str:
        self.asked.append(event)
        return self.answers.pop(0) if self.answers else json.dumps({"hookStatus": "SUCCEEDED"})

    def deploy(self, number: int) -> None:
        self.service.attributes["taskDefinition"] = f"arn:web:{number}"
        container = {"name": "web", "image": f"web:{number}"}
        made = Definition(f"arn:web:{number}", "web", True, "awsvpc", (container,), (), 256, 512)
        alive = [t for t in self.tasks if t.alive]
        self.service.deploy(made, len(alive))

    @property
    def tasks(self) -> list[Task]:
        return self.controller.registry.of(self.service)

    @property
    def rollout(self):
        return self.service.rollouts[0]

    @property
    def stage(self) -> str:
        return self.rollout.shift.stage

    def alive(self) -> list[str]:
        """Task definition and target group of each task that runs."""
        return sorted(
            f"{t.definition.arn[-1]} {t.deployment.groups[0]}" for t in self.tasks if t.alive
        )

    def step(self) -> None:
        self.controller.reconcile()
        for task in self.tasks:
            if task.leaving:
                task.status = "STOPPED"
        self.now += 1

    def run_until(self, condition) -> None:
        for _ in range(200):
            if condition():
                return
            self.step()
        pytest.fail(f"{self.rollout}; {self.service.events[:5]}")

    def settle(self) -> None:
        self.run_until(lambda: self.rollout.status not in
                       ("IN_PROGRESS", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS"))  # fmt: skip

    def call(self, action: str, **params):
        return self.controller.operations()["ecs", action](HERE, params)

    def described(self) -> dict:
        name = rollout_arn(self.service, self.rollout)
        return self.call("DescribeServiceDeployments", serviceDeploymentArns=[name])[
            "serviceDeployments"
        ][0]


class _AtOnce:
    def __init__(self, target, args, **_):
        self._target, self._args = target, args

    def start(self):
        self._target(*self._args)


@pytest.fixture
def site(tmp_path, monkeypatch):
    return lambda **configuration: Site(tmp_path, monkeypatch, **configuration)


def test_all_are_turned_at_once_and_the_old_tasks_stay_until_it_has_baked(site):
    here = site()
    here.deploy(2)
    here.run_until(lambda: here.stage == "BAKE_TIME")
    assert here.alive() == ["1 blue", "1 blue", "2 green", "2 green"]
    assert here.rules == {"clients": {"blue": 0.0, "green": 100.0},
                          "trial": {"blue": 0.0, "green": 100.0}}  # fmt: skip
    # First the trial, then the clients; before that both groups are the clients' rule's.
    assert here.turned == [("clients", 0.0), ("trial", 100.0), ("clients", 100.0)]
    began = here.now
    here.settle()
    assert here.now - began >= 2 * 60 / 12 - 1
    assert here.rollout.status == "SUCCESSFUL"
    assert here.alive() == ["2 green", "2 green"]
    assert [d.state for d in here.service.deployments] == ["COMPLETED"]
    # The next release takes the other turn.
    here.deploy(3)
    here.settle()
    assert here.alive() == ["3 blue", "3 blue"]
    assert here.rules["clients"] == {"green": 0.0, "blue": 100.0}


def test_nobody_is_sent_to_a_group_before_it_is_whole(site):
    here = site()
    here.deploy(2)
    seen = []
    for _ in range(60):
        here.step()
        shares = here.rules.get("clients", {"green": 0})
        fit = sum(t.fit for t in here.tasks if t.deployment.groups == ("green",))
        seen.append((shares["green"], fit))
        if here.rollout.status == "SUCCESSFUL":
            break
    assert all(fit == 2 for share, fit in seen if share), seen
    assert any(share for share, _ in seen)


@pytest.mark.parametrize(
    ("configuration", "shares"),
    [
        ({"strategy": "CANARY", "canaryConfiguration":
            {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 1}}, [0.0, 10.0, 100.0]),
        ({"strategy": "LINEAR", "linearConfiguration":
            {"stepPercent": 40.0, "stepBakeTimeInMinutes": 1}}, [0.0, 40.0, 80.0, 100.0]),
    ],
)  # fmt: skip
def test_some_are_turned_first(site, configuration, shares):
    here = site(**configuration)
    here.deploy(2)
    times = []
    for _ in range(100):
        before = len(here.turned)
        here.step()
        times += [here.now] * (len(here.turned) - before)
        if here.rollout.status == "SUCCESSFUL":
            break
    clients = [share for rule, share in here.turned if rule == "clients"]
    assert clients == shares
    at = [t for t, (rule, _) in zip(times, here.turned, strict=True) if rule == "clients"]
    assert all(late - early >= 60 / 12 for early, late in itertools.pairwise(at[1:]))


def test_a_stage_says_who_gets_what(site):
    here = site(lifecycleHooks=[HOOK])
    here.answers = [json.dumps({"hookStatus": "FAILED"})]
    here.deploy(2)
    here.step()
    shown = here.described()
    assert shown["lifecycleStage"] == "SCALE_UP"
    assert shown["targetServiceRevision"]["requestedProductionTrafficWeight"] == 0
    assert shown["sourceServiceRevisions"][0]["requestedProductionTrafficWeight"] == 100
    here.settle()
    shown = here.described()
    assert [one["status"] for one in shown["lifecycleHookDetails"]] == ["FAILED"]


def test_a_hook_that_refuses_turns_everything_back(site):
    here = site(lifecycleHooks=[HOOK])
    here.answers = [json.dumps({"hookStatus": "IN_PROGRESS", "callBackDelay": 0.001}),
                    json.dumps({"hookStatus": "FAILED"})]  # fmt: skip
    here.deploy(2)
    here.settle()
    assert [one["lifecycleStage"] for one in here.asked] == ["POST_TEST_TRAFFIC_SHIFT"] * 2
    told = here.asked[0]["executionDetails"]
    assert list(told["testTrafficWeights"].values()) == [0.0, 100.0]
    assert list(told["productionTrafficWeights"].values()) == [100.0, 0.0]
    assert here.rollout.status == "ROLLBACK_SUCCESSFUL"
    assert "gate failed at POST_TEST_TRAFFIC_SHIFT: it returned FAILED" in here.rollout.reason
    assert ("clients", 100.0) not in here.turned
    assert here.rules["trial"] == {"blue": 100.0, "green": 0.0}
    assert here.alive() == ["1 blue", "1 blue"]
    assert here.service.attributes["taskDefinition"] == "arn:web:1"
    # And the next one finds everything as it was.
    here.deploy(3)
    here.settle()
    assert (here.rollout.status, here.alive()) == ("SUCCESSFUL", ["3 green", "3 green"])


@pytest.mark.parametrize("answer", ["null", "{}", '{"hookStatus": "PERHAPS"}'])
def test_what_is_no_answer_refuses(site, answer):
    here = site(lifecycleHooks=[HOOK])
    here.answers = [answer]
    here.deploy(2)
    here.settle()
    assert here.rollout.status == "ROLLBACK_SUCCESSFUL"
    assert "no valid hookStatus" in here.rollout.reason


def test_a_red_alarm_turns_back_while_it_bakes(site):
    here = site(alarms={"alarmNames": ["bad"], "enable": True, "rollback": True})
    here.alarms["bad"] = SimpleNamespace(state="OK", parameters={})
    here.deploy(2)
    here.run_until(lambda: here.stage == "BAKE_TIME")
    here.alarms["bad"] = SimpleNamespace(state="ALARM", parameters={})
    here.step()
    # At once, with tasks that have been there all the time.
    assert here.rules["clients"] == {"blue": 100.0, "green": 0.0}
    assert here.alive().count("1 blue") == 2
    here.settle()
    assert here.rollout.status == "ROLLBACK_SUCCESSFUL"
    assert here.described()["alarms"]["triggeredAlarmNames"] == ["bad"]
    assert here.alive() == ["1 blue", "1 blue"]


@pytest.mark.parametrize("stage", ["SCALE_UP", "BAKE_TIME"])
def test_it_can_be_stopped(site, stage):
    here = site()
    here.deploy(2)
    here.run_until(lambda: here.stage == stage)
    here.call("StopServiceDeployment",
              serviceDeploymentArn=rollout_arn(here.service, here.rollout))  # fmt: skip
    here.settle()
    assert here.rollout.status == "ROLLBACK_SUCCESSFUL"
    assert here.rules["clients"]["blue"] == 100.0
    assert here.alive() == ["1 blue", "1 blue"]


def test_there_is_no_way_back_while_the_old_tasks_leave(site):
    here = site(bakeTimeInMinutes=0)
    here.deploy(2)
    here.run_until(lambda: here.stage == "CLEAN_UP")
    with pytest.raises(ApiError, match="CLEAN_UP"):
        here.call("StopServiceDeployment",
                  serviceDeploymentArn=rollout_arn(here.service, here.rollout))  # fmt: skip


def test_what_never_gets_fit_trips_the_breaker(site):
    here = site()
    here.broken.add("arn:web:2")
    here.deploy(2)
    here.settle()
    assert here.rollout.status == "ROLLBACK_SUCCESSFUL"
    assert "circuit breaker" in here.rollout.reason
    assert ("clients", 100.0) not in here.turned
    assert here.alive() == ["1 blue", "1 blue"]


def test_a_newer_release_sends_clients_back_first(site):
    here = site()
    here.deploy(2)
    here.run_until(lambda: here.stage == "BAKE_TIME")
    here.deploy(3)
    assert here.service.rollouts[1].status == "STOPPED"
    assert here.rules["clients"]["blue"] == 100.0
    here.settle()
    assert here.rollout.status == "SUCCESSFUL"
    assert here.alive() == ["3 green", "3 green"]


def test_more_tasks_are_more_in_both(site):
    here = site()
    here.deploy(2)
    here.run_until(lambda: here.stage == "BAKE_TIME")
    here.service.desired = 3
    here.step()
    assert here.alive() == ["1 blue"] * 3 + ["2 green"] * 3


@pytest.mark.parametrize(
    ("configuration", "balancers", "words"),
    [
        ({"strategy": "PURPLE"}, [], "PURPLE"),
        ({"strategy": "BLUE_GREEN"}, [], "bakeTimeInMinutes is required"),
        ({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1441}, [], "between 0 and 1440"),
        ({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1}, [BALANCER], "advancedConfiguration"),
        ({"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 0.05}}, [], "from 0.1"),
        ({"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 2}}, [], "from 3.0"),
        ({"strategy": "ROLLING", "linearConfiguration": {"stepPercent": 10}}, [], "LINEAR"),
        ({"strategy": "ROLLING", "lifecycleHooks": [HOOK]}, [], "not valid with the ROLLING"),
        ({"strategy": "ROLLING"}, [{**BALANCER, "advancedConfiguration": ADVANCED}], "ROLLING"),
        ({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1,
          "lifecycleHooks": [{**HOOK, "lifecycleStages": ["SCALE_UP"]}]}, [], "SCALE_UP"),
        ({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1, "alarms": {"enable": True}},
         [{**BALANCER, "advancedConfiguration": ADVANCED}], "only with rollback"),
        ({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1},
         [{**BALANCER, "advancedConfiguration": ADVANCED}], "clients does not exist"),
        ({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1},
         [{**BALANCER, "targetGroupArn": "green", "advancedConfiguration": ADVANCED}],
         "must be different"),
    ],
)  # fmt: skip
def test_refusals(configuration, balancers, words):
    with pytest.raises(ApiError, match=words):
        strategy.check(strategy.filled(configuration), balancers)


def test_defaults_are_those_of_aws():
    shown = strategy.filled({"strategy": "CANARY"})
    assert strategy.steps(shown) == [(5.0, 10), (100.0, 0)]
    linear = strategy.steps(strategy.filled({"strategy": "LINEAR"}))
    assert [step.share for step in linear] == [10.0 * n for n in range(1, 11)]
    assert {step.minutes for step in linear[:-1]} == {6}
