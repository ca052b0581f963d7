"""What ECS is told of how a release takes over, and what is refused while one does."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.drydock.ops.plugins.module_utils import delivery, ecs, turning_back
from ansible_collections.drydock.ops.plugins.module_utils.ecs import DeploymentFailed, Service

PLAIN = {"targetGroupArn": "blue", "containerName": "web", "containerPort": 8080}
ROLLING = {
    "serviceName": "web",
    "taskDefinition": "arn/web:2",
    "deploymentConfiguration": {"strategy": "ROLLING", "maximumPercent": 200},
    "loadBalancers": [PLAIN],
}


class Elb:
    def __init__(self, **weights: int) -> None:
        self.weights = weights

    def describe_rules(self, RuleArns: list[str]) -> dict[str, Any]:
        assert RuleArns == ["clients"]
        groups = [{"TargetGroupArn": key, "Weight": w} for key, w in self.weights.items()]
        return {
            "Rules": [{"Actions": [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]}]
        }


class Ecs:
    """One service deployment in a given state, out of the revision web:1."""

    def __init__(self, status: str, stage: str = "BAKE_TIME", share: float = 100.0) -> None:
        self.stopped: list[str] = []
        self.turn = {
            "serviceDeploymentArn": "arn/turn",
            "createdAt": 1,
            "status": status,
            "lifecycleStage": stage,
            "statusReason": "why it is so",
            "sourceServiceRevisions": [{"arn": "revision/1"}],
            "targetServiceRevision": {
                "requestedProductionTrafficWeight": share,
                "requestedTestTrafficWeight": 100.0,
            },
        }

    def list_service_deployments(self, **_: str) -> dict[str, Any]:
        older = {**self.turn, "serviceDeploymentArn": "arn/older", "createdAt": 0}
        return {"serviceDeployments": [older, self.turn]}

    def describe_service_deployments(self, serviceDeploymentArns: list[str]) -> dict[str, Any]:
        assert serviceDeploymentArns == ["arn/turn"]
        return {"serviceDeployments": [copy.deepcopy(self.turn)]}

    def describe_service_revisions(self, serviceRevisionArns: list[str]) -> dict[str, Any]:
        assert serviceRevisionArns == ["revision/1"]
        return {"serviceRevisions": [{"taskDefinition": "arn/web:1"}]}

    def stop_service_deployment(self, serviceDeploymentArn: str, stopType: str) -> None:
        self.stopped.append(f"{serviceDeploymentArn} {stopType}")
        self.turn["status"] = "ROLLBACK_IN_PROGRESS"


def wanted(strategy: str, **more: Any) -> dict[str, Any]:
    given = {
        "strategy": strategy, "bake_minutes": 5, "percent": 10.0, "step_minutes": 3,
        "alarms": ["bad"], "hooks": [{"function": "gate", "stages": ["PRE_SCALE_UP"]}],
        "target_groups": ["blue", "green"], "client_rule": "clients", "trial_rule": "trial",
        "role": "role",
    }  # fmt: skip
    return {**given, **more}


def turned(now: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The service as it is after UpdateService was told what is to change."""
    return {**now, **delivery.changes(now, given, Elb(blue=100, green=0))}


def test_a_rolling_service_is_left_as_it_is():
    assert delivery.changes(ROLLING, wanted("rolling"), None) == {}
    assert delivery.changes(ROLLING, None, None) == {}
    # What says nothing of a strategy is delivered rolling.
    assert delivery.changes({**ROLLING, "deploymentConfiguration": {}}, wanted("rolling"), 0) == {}


def test_only_rolling_suits_a_service_without_clients():
    alone = {**ROLLING, "serviceName": "consumer", "loadBalancers": []}
    nobody = {"target_groups": [], "client_rule": None, "trial_rule": None, "role": None}
    assert delivery.changes(alone, wanted("rolling", **nobody), None) == {}
    with pytest.raises(DeploymentFailed, match="consumer has no clients that"):
        delivery.changes(alone, wanted("canary", **nobody), None)


def test_blue_green_is_told_whole_and_once():
    found = delivery.changes(ROLLING, wanted("blue_green"), None)
    configuration = found["deploymentConfiguration"]
    assert configuration["strategy"] == "BLUE_GREEN" and configuration["bakeTimeInMinutes"] == 5
    assert configuration["alarms"] == {"alarmNames": ["bad"], "enable": True, "rollback": True}
    assert configuration["lifecycleHooks"] == [
        {"hookTargetArn": "gate", "roleArn": "role", "lifecycleStages": ["PRE_SCALE_UP"]}
    ]
    advanced = {"alternateTargetGroupArn": "green", "productionListenerRule": "clients",
                "testListenerRule": "trial", "roleArn": "role"}  # fmt: skip
    assert found["loadBalancers"] == [{**PLAIN, "advancedConfiguration": advanced}]
    assert delivery.changes({**ROLLING, **found}, wanted("blue_green"), None) == {}


@pytest.mark.parametrize(
    ("strategy", "own"),
    [
        ("canary", {"canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 3}}),
        ("linear", {"linearConfiguration": {"stepPercent": 10.0, "stepBakeTimeInMinutes": 3}}),
    ],
)
def test_steps_are_the_strategys_own(strategy, own):
    found = delivery.configuration(wanted(strategy))
    assert own.items() <= found.items()
    kinds = {"canaryConfiguration", "linearConfiguration"}
    assert kinds & found.keys() == own.keys()


def test_a_change_of_minutes_alone_leaves_the_groups():
    now = turned(ROLLING, wanted("blue_green"))
    found = delivery.changes(now, wanted("blue_green", bake_minutes=7), None)
    assert list(found) == ["deploymentConfiguration"]


@pytest.mark.parametrize("serving", ["blue", "green"])
def test_the_way_back_to_rolling_leads_to_what_serves(serving):
    now = turned(ROLLING, wanted("canary"))
    other = {"blue": "green", "green": "blue"}[serving]
    found = delivery.changes(now, wanted("rolling"), Elb(**{serving: 100, other: 0}))
    assert found["loadBalancers"] == [{**PLAIN, "targetGroupArn": serving}]
    assert found["deploymentConfiguration"]["strategy"] == "ROLLING"
    assert found["deploymentConfiguration"]["alarms"]["enable"] is False
    # And from there on to the other one of the pair.
    again = delivery.changes({**now, **found}, wanted("blue_green"), None)["loadBalancers"][0]
    assert (again["targetGroupArn"], again["advancedConfiguration"]["alternateTargetGroupArn"]) == (
        serving,
        other,
    )


@pytest.mark.parametrize(
    ("now", "given", "words"),
    [
        (ROLLING, wanted("blue_green", target_groups=["blue"]), "is given 1 to take turns"),
        ({**ROLLING, "loadBalancers": []}, wanted("blue_green"), "has 0 target groups"),
        (ROLLING, wanted("blue_green", target_groups=["a", "b"]), "serves from blue, which is"),
    ],
)
def test_what_cannot_take_turns_is_refused(now, given, words):
    with pytest.raises(DeploymentFailed, match=words) as refused:
        delivery.changes(now, given, None)
    assert "Nothing was changed." in str(refused.value)


@pytest.mark.parametrize("status", ["IN_PROGRESS", "ROLLBACK_IN_PROGRESS"])
def test_nothing_is_released_while_another_takes_over(status):
    now = turned(ROLLING, wanted("blue_green"))
    with pytest.raises(DeploymentFailed, match="BAKE_TIME, 100 % of the clients") as refused:
        delivery.refuse_while_turning(Service(Ecs(status), "c", "web"), now)
    assert "playbooks/rollback.yml --limit web" in str(refused.value)
    # Neither where it is done, nor where a service is delivered rolling.
    delivery.refuse_while_turning(Service(Ecs("SUCCESSFUL"), "c", "web"), now)
    delivery.refuse_while_turning(Service(Ecs(status), "c", "web"), ROLLING)


def test_where_it_stands_is_said_in_words():
    turn = Ecs("IN_PROGRESS", "POST_TEST_TRAFFIC_SHIFT", 0.0).turn
    assert ecs.turned_words(turn) == "POST_TEST_TRAFFIC_SHIFT, 0 % of the clients, it can be tried"
    turn = Ecs("IN_PROGRESS", "PRODUCTION_TRAFFIC_SHIFT", 12.5).turn
    assert ecs.turned_words(turn) == "PRODUCTION_TRAFFIC_SHIFT, 12.5 % of the clients"


class Journal:
    def __init__(self) -> None:
        self.steps: list[tuple] = []

    def begin(self, what: str, calls: Any, keep: bool) -> None:
        self.steps.append((what, calls, keep))


def test_what_still_bakes_is_stopped_and_watched_to_its_end():
    fake, journal = Ecs("IN_PROGRESS"), Journal()
    service = Service(fake, "c", "web")
    now = turned(ROLLING, wanted("blue_green"))
    going = turning_back.stoppable(service, now, "arn/web:1")
    begun = turning_back.stop(service, going, journal, "back")
    assert fake.stopped == ["arn/turn ROLLBACK"] and journal.steps == [("back", None, True)]
    seen = turning_back.observe_stop(service, begun["deployment"], 0)
    assert not seen["finished"]
    fake.turn["status"] = "ROLLBACK_SUCCESSFUL"
    assert turning_back.observe_stop(service, seen["deployment"], 0)["finished"]
    fake.turn["status"] = "ROLLBACK_FAILED"
    with pytest.raises(DeploymentFailed, match="ROLLBACK_FAILED: why it is so"):
        turning_back.observe_stop(service, seen["deployment"], 0)


def test_the_way_back_while_it_bakes_leads_to_one_release_only():
    now = turned(ROLLING, wanted("blue_green"))
    service = Service(Ecs("IN_PROGRESS"), "c", "web")
    with pytest.raises(DeploymentFailed, match="the way back is to web:1 only, not to web:0"):
        turning_back.stoppable(service, now, "arn/web:0")
    service = Service(Ecs("ROLLBACK_IN_PROGRESS"), "c", "web")
    with pytest.raises(DeploymentFailed, match="ROLLBACK_IN_PROGRESS"):
        turning_back.stoppable(service, now, "arn/web:1")
    service = Service(Ecs("SUCCESSFUL"), "c", "web")
    assert turning_back.stoppable(service, now, "arn/web:1") is None


class Rolled(Ecs):
    """The service after ECS has taken a release of web:2 back."""

    def describe_services(self, **_: Any) -> dict[str, Any]:
        one = {"id": "ecs-svc/1", "status": "PRIMARY", "taskDefinition": "arn/web:1",
               "rolloutState": "IN_PROGRESS", "runningCount": 2, "desiredCount": 2}  # fmt: skip
        two = {**one, "id": "ecs-svc/2", "status": "ACTIVE", "taskDefinition": "arn/web:2",
               "rolloutState": "FAILED", "rolloutStateReason": "it failed"}  # fmt: skip
        service = {**turned(ROLLING, wanted("blue_green")), "status": "ACTIVE",
                   "deployments": [one, two]}  # fmt: skip
        return {"services": [service]}

    def list_tasks(self, **_: Any) -> dict[str, Any]:
        return {"taskArns": ["1", "2"]}

    def describe_tasks(self, **_: Any) -> dict[str, Any]:
        task = {"taskDefinitionArn": "arn/web:1", "lastStatus": "RUNNING", "startedBy": "ecs-svc/1"}
        return {"tasks": [task, task]}


def test_a_release_that_was_taken_back_says_at_which_stage_and_why():
    fake = Rolled("ROLLBACK_IN_PROGRESS", "POST_TEST_TRAFFIC_SHIFT", 0.0)
    deployment = {"id": "ecs-svc/2", "task_definition": "arn/web:2", "previous": "arn/web:1",
                  "image": "web:2"}  # fmt: skip
    with pytest.raises(DeploymentFailed) as failed:
        ecs.observe(Service(fake, "c", "web"), deployment, 0)
    said = str(failed.value)
    assert "was rolled back by ECS at POST_TEST_TRAFFIC_SHIFT: why it is so." in said
    assert "The version before (web:1) still serves with 2 tasks." in said
