"""A release is judged by its deployment's ID; nothing is registered or updated for nothing."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.drydock.ops.plugins.modules.ecs_deployment import (
    DeploymentFailed,
    Service,
    observe,
    start,
)

ARN = "arn:aws:ecs:us-east-1:123456789012:task-definition/hello"
TEMPLATE = {
    "taskDefinitionArn": f"{ARN}:1",
    "family": "hello",
    "revision": 1,
    "status": "ACTIVE",
    "registeredAt": "now",
    "compatibilities": ["EC2", "FARGATE"],
    "cpu": "256",
    "memory": "512",
    "networkMode": "awsvpc",
    "volumes": [],
    "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
    "containerDefinitions": [
        {"name": "sidecar", "image": "sidecar:1", "cpu": 0, "essential": False},
        {
            "name": "hello",
            "image": "registry/hello:unreleased",
            "cpu": 0,
            "essential": True,
            "environment": [],
            "mountPoints": [],
        },
    ],
}
TAGS = [{"key": "Environment", "value": "dev"}]


class Scaling:
    """Application Auto Scaling as far as one service's limits go."""

    def __init__(self, ecs: FakeEcs, least: int | None = None, most: int = 4) -> None:
        self.target = None if least is None else {"MinCapacity": least, "MaxCapacity": most}
        self.ecs = ecs

    def describe_scalable_targets(self, **asked: Any) -> dict[str, Any]:
        assert asked["ResourceIds"] == ["service/cluster/hello"]
        return {"ScalableTargets": [self.target] if self.target else []}

    def register_scalable_target(self, ResourceId: str, MinCapacity: int, **_: Any) -> None:
        assert self.target and ResourceId == "service/cluster/hello"
        self.ecs.calls.append("floor")
        self.target["MinCapacity"] = MinCapacity


class FakeEcs:
    """As much of ECS as a release talks to; `rollout` is told by each test."""

    def __init__(self) -> None:
        self.definitions = {f"{ARN}:1": copy.deepcopy(TEMPLATE)}
        self.service: dict[str, Any] = {
            "serviceName": "hello",
            "status": "ACTIVE",
            "taskDefinition": f"{ARN}:1",
            "desiredCount": 0,
            "runningCount": 0,
            "deployments": [self.deployment("ecs-svc/0", f"{ARN}:1", desired=0)],
            "events": [],
        }
        self.tasks: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self.count = 0
        self.tags: list[dict[str, str]] = []

    @staticmethod
    def deployment(name: str, definition: str, **fields: Any) -> dict[str, Any]:
        count = fields.pop("desired", 2)
        return {
            "id": name,
            "status": "PRIMARY",
            "taskDefinition": definition,
            "rolloutState": "COMPLETED",
            "desiredCount": count,
            "runningCount": count,
            "pendingCount": 0,
            "failedTasks": 0,
            **fields,
        }

    def describe_services(self, **_: Any) -> dict[str, Any]:
        return {"services": [copy.deepcopy(self.service)]}

    def describe_task_definition(self, taskDefinition: str, **_: Any) -> dict[str, Any]:
        key = taskDefinition if taskDefinition in self.definitions else max(self.definitions)
        return {"taskDefinition": copy.deepcopy(self.definitions[key]), "tags": TAGS}

    def register_task_definition(self, tags: list[dict[str, str]], **wanted: Any) -> dict[str, Any]:
        self.calls.append("register")
        self.tags = tags
        revision = len(self.definitions) + 1
        arn = f"{ARN}:{revision}"
        # AWS reads a definition back with its own empty fields and in its own order.
        made = {**copy.deepcopy(wanted), "volumes": [], "taskDefinitionArn": arn}
        for container in made["containerDefinitions"]:
            container["systemControls"] = []
            container.get("environment", []).reverse()
        self.definitions[arn] = made
        return {"taskDefinition": made}

    def update_service(
        self, taskDefinition: str, desiredCount: int, forceNewDeployment: bool = False, **_: Any
    ) -> dict[str, Any]:
        self.calls.append("force" if forceNewDeployment else "update")
        self.count += 1
        old = [{**one, "status": "ACTIVE"} for one in self.service["deployments"]]
        new = self.deployment(
            f"ecs-svc/{self.count}",
            taskDefinition,
            desired=desiredCount,
            runningCount=0,
            rolloutState="IN_PROGRESS",
        )
        self.service.update(
            taskDefinition=taskDefinition, desiredCount=desiredCount, deployments=[new, *old]
        )
        return {"service": copy.deepcopy(self.service)}

    def list_tasks(self, desiredStatus: str, **_: Any) -> dict[str, Any]:
        return {
            "taskArns": [
                str(index)
                for index, task in enumerate(self.tasks)
                if (task["lastStatus"] == "STOPPED") == (desiredStatus == "STOPPED")
            ]
        }

    def describe_tasks(self, tasks: list[str], **_: Any) -> dict[str, Any]:
        return {"tasks": [self.tasks[int(index)] for index in tasks]}

    def finish(self) -> None:
        """Complete the newest deployment."""
        newest = self.service["deployments"][0]
        newest.update(rolloutState="COMPLETED", runningCount=newest["desiredCount"])
        self.service["deployments"] = [newest]
        self.service["runningCount"] = newest["desiredCount"]


@pytest.fixture
def ecs() -> FakeEcs:
    return FakeEcs()


@pytest.fixture
def service(ecs: FakeEcs) -> Service:
    return Service(ecs, "cluster", "hello")


def want(image: str = "registry/hello:1", **fields: Any) -> dict[str, Any]:
    return {
        "template": f"{ARN}:1",
        "container": "hello",
        "image": image,
        "environment": {"PORT": 8080, "A": "1"},
        "secrets": {"PASSWORD": "arn:secret"},
        "desired_count": 2,
        **fields,
    }


def released(ecs: FakeEcs, service: Service, image: str = "registry/hello:1") -> dict[str, Any]:
    """Release to the end; the calls made so far are forgotten."""
    result = start(service, want(image), False)
    ecs.finish()
    ecs.calls.clear()
    return result


def test_a_first_release_sets_the_count_and_fills_the_template(
    ecs: FakeEcs, service: Service
) -> None:
    result = start(service, want(), False)
    assert result["changed"]
    assert ecs.calls == ["register", "update"]
    assert ecs.service["desiredCount"] == 2
    assert ecs.tags == TAGS
    made = ecs.definitions[f"{ARN}:2"]
    sidecar, hello = sorted(made["containerDefinitions"], key=lambda one: one["name"], reverse=True)
    assert sidecar["image"] == "sidecar:1"
    assert hello["image"] == "registry/hello:1"
    assert {"name": "PORT", "value": "8080"} in hello["environment"]
    assert hello["secrets"] == [{"name": "PASSWORD", "valueFrom": "arn:secret"}]
    assert not result["finished"]
    ecs.finish()
    assert observe(service, result["deployment"], 0)["finished"]


def test_an_empty_variable_is_set(ecs: FakeEcs, service: Service) -> None:
    """Twice: how it is kept must not look like a change."""
    fields = {"environment": {"READ_HOST": ""}}
    start(service, want(**fields), False)
    ecs.finish()
    (hello,) = (
        one for one in ecs.definitions[f"{ARN}:2"]["containerDefinitions"] if one["name"] == "hello"
    )
    assert {"name": "READ_HOST", "value": ""} in hello["environment"]
    assert not start(service, want(**fields), False)["changed"]


def test_the_same_release_again_changes_nothing(ecs: FakeEcs, service: Service) -> None:
    released(ecs, service)
    result = start(service, want(), False)
    assert (result["changed"], result["finished"], ecs.calls) == (False, True, [])


def test_a_count_that_autoscaling_set_is_left_alone(ecs: FakeEcs, service: Service) -> None:
    released(ecs, service)
    ecs.service["desiredCount"] = 7
    start(service, want("registry/hello:2"), False)
    assert ecs.service["desiredCount"] == 7


def test_autoscaling_leaves_the_fewest_tasks_from_the_first_release_on(
    ecs: FakeEcs, service: Service
) -> None:
    scaling = Scaling(ecs, least=0)
    rehearsed = start(service, want(min_count=2), True, scaling=scaling)
    assert rehearsed["diff"]["after"]["min_count"] == 2 and ecs.calls == []
    result = start(service, want(min_count=2), False, scaling=scaling)
    # Not before there is an image to start, and not after the waiting.
    assert ecs.calls == ["register", "update", "floor"]
    assert not result["finished"] and result["diff"]["before"]["min_count"] == 0
    assert not start(service, want(min_count=2), False, scaling=scaling)["changed"]
    again = start(service, want(min_count=3), False, scaling=scaling)
    assert again["changed"] and ecs.calls[3:] == ["floor"]


@pytest.mark.parametrize(
    ("limits", "reason"),
    [({}, "not registered"), ({"least": 0, "most": 1}, "above the most")],
)
def test_a_floor_that_cannot_be_is_refused_before_anything_is_changed(
    ecs: FakeEcs, service: Service, limits: dict[str, int], reason: str
) -> None:
    floored = want(min_count=2)
    with pytest.raises(DeploymentFailed, match=reason) as refused:
        start(service, floored, False, scaling=Scaling(ecs, **limits))
    assert "playbooks/provision.yml --limit platform" in str(refused.value)
    assert ecs.calls == []


def test_check_mode_shows_the_difference_and_does_nothing(ecs: FakeEcs, service: Service) -> None:
    result = start(service, want(), True)
    assert (result["changed"], ecs.calls) == (True, [])
    assert "registry/hello:1" in str(result["diff"]["after"])
    assert "registry/hello:1" not in str(result["diff"]["before"])


def test_a_revision_that_a_killed_run_registered_is_used(ecs: FakeEcs, service: Service) -> None:
    before = copy.deepcopy(ecs.service)
    start(service, want(), False)
    ecs.service = before
    ecs.calls.clear()
    start(service, want(), False)
    assert ecs.calls == ["update"]


def test_a_release_that_a_killed_run_began_is_waited_for(ecs: FakeEcs, service: Service) -> None:
    start(service, want(), False)
    ecs.calls.clear()
    result = start(service, want(), False)
    assert (result["changed"], result["finished"], ecs.calls) == (False, False, [])


def test_a_release_that_failed_before_is_tried_again(ecs: FakeEcs, service: Service) -> None:
    released(ecs, service)
    ecs.service["deployments"][0]["rolloutState"] = "FAILED"
    start(service, want(), False)
    assert ecs.calls == ["force"]


def test_tasks_of_the_version_before_keep_it_unfinished(ecs: FakeEcs, service: Service) -> None:
    released(ecs, service)
    result = start(service, want("registry/hello:2"), False)
    newest = ecs.service["deployments"][0]
    newest.update(rolloutState="COMPLETED", runningCount=2)
    seen = observe(service, result["deployment"], 0)
    assert not seen["finished"]
    assert "2 of the version before" in seen["progress"]


def fail_after(ecs: FakeEcs, service: Service) -> tuple[dict[str, Any], str]:
    """Release 1, begin release 2. Returns (the second's result, ARN of the first)."""
    released(ecs, service)
    first = ecs.service["taskDefinition"]
    result = start(service, want("registry/hello:2"), False)
    ecs.tasks = [
        {"taskDefinitionArn": first, "lastStatus": "RUNNING"},
        {"taskDefinitionArn": first, "lastStatus": "RUNNING"},
        *[
            {
                "taskDefinitionArn": ecs.service["taskDefinition"],
                "startedBy": result["deployment"]["id"],
                "lastStatus": "STOPPED",
                "stoppedReason": "Essential container in task exited",
                "containers": [{"name": "hello", "exitCode": 3}],
            }
        ]
        * 3,
        {
            "taskDefinitionArn": first,
            "startedBy": "ecs-svc/0",
            "lastStatus": "STOPPED",
            "stoppedReason": "Scaling activity",
            "containers": [],
        },
    ]
    return result, first


def test_a_rollback_fails_and_says_why_and_what_still_serves(
    ecs: FakeEcs, service: Service
) -> None:
    result, first = fail_after(ecs, service)
    reason = "ECS deployment circuit breaker: tasks failed to start."
    newest = {**ecs.service["deployments"][0], "status": "ACTIVE", "rolloutState": "FAILED"}
    newest["rolloutStateReason"] = reason
    back = ecs.deployment("ecs-svc/9", first, rolloutState="IN_PROGRESS")
    ecs.service.update(taskDefinition=first, deployments=[back, newest])
    with pytest.raises(DeploymentFailed) as failed:
        observe(service, result["deployment"], 0)
    text = str(failed.value)
    for part in (
        f"Deployment {result['deployment']['id']} of hello (hello:3, image registry/hello:2)",
        "was rolled back by ECS",
        "circuit breaker: tasks failed to start",
        "3 of them: Essential container in task exited, container hello exited with 3",
        "(hello:2) still serves with 2 tasks",
    ):
        assert part in text
    assert "Scaling activity" not in text


def test_a_rollback_that_is_over_already_is_still_one(ecs: FakeEcs, service: Service) -> None:
    result, first = fail_after(ecs, service)
    back = ecs.deployment("ecs-svc/9", first, rolloutStateReason="rolling back to ecs-svc/0")
    ecs.service.update(taskDefinition=first, deployments=[back])
    with pytest.raises(DeploymentFailed, match="was rolled back by ECS: rolling back to"):
        observe(service, result["deployment"], 0)


def test_another_s_release_in_between_is_told(ecs: FakeEcs, service: Service) -> None:
    result, _ = fail_after(ecs, service)
    ecs.service["deployments"] = [ecs.deployment("ecs-svc/9", f"{ARN}:8")]
    with pytest.raises(DeploymentFailed, match="was superseded by ecs-svc/9"):
        observe(service, result["deployment"], 0)


def test_a_first_release_that_fails_has_nothing_to_fall_back_on(
    ecs: FakeEcs, service: Service
) -> None:
    result = start(service, want(), False)
    ecs.service["deployments"][0].update(rolloutState="FAILED", rolloutStateReason="no capacity")
    with pytest.raises(DeploymentFailed, match=r"failed: no capacity.*nothing serves now"):
        observe(service, result["deployment"], 0)


def test_a_service_or_container_that_is_not_there_is_named(ecs: FakeEcs, service: Service) -> None:
    with pytest.raises(DeploymentFailed, match="no container other"):
        start(service, want(container="other"), False)
    ecs.service["status"] = "INACTIVE"
    with pytest.raises(DeploymentFailed, match="no active service hello"):
        start(service, want(), False)
