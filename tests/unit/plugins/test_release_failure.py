"""A release that fails names what of; each kind has its own words and its own cure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.drydock.ops.plugins.module_utils.release_failure import (
    causes,
    name,
    unhealthy,
)

START = datetime(2026, 1, 2, tzinfo=UTC)
CHECK = {"port": 8080, "path": "/health", "timeout": 2}
ELB = "Task failed ELB health checks in (target-group arn:aws:…)"
ESSENTIAL = "Essential container in task exited"


def task(reason: str, code: int | None = None, container: str = "", seconds: int = 41) -> dict:
    return {
        "taskArn": "arn:aws:ecs:us-east-1:123456789012:task/drydock/abc",
        "stoppedReason": reason,
        "startedAt": START,
        "stoppingAt": START + timedelta(seconds=seconds),
        "containers": [{"name": "hello", "exitCode": code, "reason": container}],
        "attachments": [{"details": [{"name": "privateIPv4Address", "value": "10.0.0.9"}]}],
    }


@pytest.mark.parametrize(
    ("stopped", "said", "log", "named"),
    [
        (task(ESSENTIAL, 3), [], [], "exits by itself with 3"),
        (task(ESSENTIAL, 1), [], ["exec /srv/x: exec format error"], "another architecture"),
        (task("CannotStartContainerError: x", None, "crun: Exec format error"), [], [],
         "another architecture"),
        (task(ELB, 137), ["Target.ResponseCodeMismatch", "… with these codes: [500]"], [],
         "not healthy within 41 s of its start: it answered 500 to /health"),
        (task(ELB, 137), ["Target.FailedHealthChecks", "Health checks failed"], [],
         "listens on no 8080"),
        (task(ELB, 137), ["Target.Timeout", "Request timed out"], [], "later than the 2 s"),
        (task(ELB, 137), [], [], "how was not seen"),
        (task("Task failed container health checks", 137), [], [],
         "its own health check (workload.health_command) failed 41 s after its start"),
        (task("CannotPullContainerError: manifest unknown"), [], [], "can't be pulled"),
        (task("OutOfMemoryError: Container killed", 137), [], [], "workload.memory"),
        (task("Scaling activity initiated by (deployment ecs-svc/1)"), [], [], ""),
    ],
)  # fmt: skip
def test_each_kind_is_named(stopped: dict, said: list[str], log: list[str], named: str) -> None:
    found = name(stopped, said, CHECK, log)
    assert named in found
    assert bool(found) is bool(named)


class Api:
    """Load balancer and logs, as far as a failure asks them."""

    class exceptions:
        class ResourceNotFoundException(Exception):
            pass

    def describe_target_health(self, **_: Any) -> dict:
        failed = "Health checks failed with these codes: [503]"
        states = {
            "10.0.0.7": {"State": "healthy"},
            "10.0.0.8": {"State": "initial", "Reason": "Elb.InitialHealthChecking"},
            "10.0.0.9": {
                "State": "unhealthy", "Reason": "Target.ResponseCodeMismatch", "Description": failed
            },
        }  # fmt: skip
        return {
            "TargetHealthDescriptions": [
                {"Target": {"Id": one}, "TargetHealth": health} for one, health in states.items()
            ]
        }

    def describe_target_groups(self, **_: Any) -> dict:
        return {"TargetGroups": [{"HealthCheckPath": "/health", "HealthCheckTimeoutSeconds": 2}]}

    def get_log_events(self, **words: Any) -> dict:
        if words["logStreamName"] != "task/hello/abc":
            raise self.exceptions.ResourceNotFoundException
        return {"events": [{"message": "password=hunter2-planted"}, {"message": "warming up\n"}]}


SERVICE = {"loadBalancers": [{"targetGroupArn": "arn:group", "containerPort": 8080}]}
DEFINITION = {
    "containerDefinitions": [
        {
            "name": "hello",
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {"awslogs-group": "/hello", "awslogs-stream-prefix": "task"},
            },
        }
    ]
}


def test_what_the_checks_met_is_kept_and_joined_with_the_log() -> None:
    seen = unhealthy(lambda _: Api(), SERVICE)
    assert list(seen) == ["10.0.0.9"]
    stopped = [task(ELB, 137), task(ELB, 137, seconds=43)]
    said = causes(lambda _: Api(), SERVICE, stopped, DEFINITION, seen)
    assert len(said) == 2, "two tasks of one cause are one sentence, and its log"
    assert "within 41 s of its start: it answered 503 to /health" in said[0]
    assert "warming up" in said[1]
    assert "hunter2" not in said[1]
