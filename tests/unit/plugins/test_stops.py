"""Why tasks don't start or stay up, by ECS's own words, and whether going back would help."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.drydock.ops.plugins.module_utils.diagnosis import sick_tasks
from ansible_collections.drydock.ops.plugins.module_utils.observation import (
    Observation,
    Release,
    Stopped,
    Task,
)
from ansible_collections.drydock.ops.plugins.module_utils.stops import (
    Death,
    Needs,
    decide,
    diagnose,
    shorten,
)

NOW = 1_000_000.0
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:drydock-dev/api/key-AbCdEf"
FAILED = "TaskFailedToStart"
EXITED = "EssentialContainerExited"
ENDED = "Essential container in task exited"
SEEN = Observation(
    at=NOW,
    period=60,
    desired=2,
    current="api:2",
    releases=[
        Release("api:2", NOW - 900_000, NOW - 899_900),
        Release("api:1", NOW - 990_000, NOW - 989_900, share=0.0),
    ],
    tasks=[Task("a", "api:2")],
)
FRESH = replace(
    SEEN,
    began=NOW - 200,
    tasks=[],
    releases=[Release("api:2", NOW - 300, NOW - 280), SEEN.releases[1]],
)
NEEDS = {
    "api:1": Needs(frozenset({"repo/api:old"}), frozenset(), 512),
    "api:2": Needs(frozenset({"repo/api:new"}), frozenset({f"{SECRET}:key::"}), 512),
}
SAME = dict.fromkeys(NEEDS, NEEDS["api:2"])


def death(code: str, reason: str, number: int = 2, **fields: Any) -> Death:
    stopped = Stopped("x", f"api:{number}", NOW - 60, code, reason)
    return Death(stopped, **fields)


PULL = death(
    FAILED,
    "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve "
    "ref repo/api:new: not found",
)
LOCKED = death(
    FAILED,
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource "
    "retrieval failed: unable to retrieve secret from asm: service call has been retried 1 "
    f"time(s): failed to fetch secret {SECRET} from secrets manager: ResourceNotFoundException: "
    "Secrets Manager can't find the specified secret.",
)
LOGLESS = death(
    FAILED,
    "ResourceInitializationError: failed to validate logger args: create stream has been retried "
    "1 times: failed to create Cloudwatch log stream: ResourceNotFoundException",
)
EXIT = death(EXITED, ENDED, exit_code=78, lived=1.0, words=["DATABASE_HOST is not set."])
MEMORY = death(
    EXITED, ENDED, exit_code=137,
    container_reason="OutOfMemoryError: Container killed due to memory usage",
)  # fmt: skip
KILLED = death(EXITED, ENDED, exit_code=137, lived=5000)
UNHEALTHY = death("ServiceSchedulerInitiated", "Task failed ELB health checks in (target-group g)")

TABLE = {
    "image gone, the one before has another": (SEEN, PULL, NEEDS, "image", "rollback"),
    "image gone, the one before has the same": (SEEN, PULL, SAME, "image", "hand_over"),
    "secret gone, the one before does not need it": (SEEN, LOCKED, NEEDS, "secret", "rollback"),
    "secret gone, the one before needs it too": (SEEN, LOCKED, SAME, "secret", "hand_over"),
    "log group gone": (SEEN, LOGLESS, NEEDS, "logs", "hand_over"),
    "exits at once since a release": (FRESH, EXIT, NEEDS, "exit", "rollback"),
    "exits, though others of its revision have long been up": (
        SEEN, EXIT, NEEDS, "exit", "hand_over",
    ),
    "out of memory since a release with another image": (
        FRESH, MEMORY, NEEDS, "memory", "rollback",
    ),
    "out of memory, the one before is the same": (FRESH, MEMORY, SAME, "memory", "hand_over"),
    "killed from outside": (SEEN, KILLED, NEEDS, "killed", "hand_over"),
    "health checks fail since a release": (FRESH, UNHEALTHY, NEEDS, "health", "rollback"),
    "image gone, never anything else": (
        replace(SEEN, releases=SEEN.releases[:1]), PULL, NEEDS, "image", "hand_over",
    ),
    "image gone, that of the one before too": (
        replace(SEEN, releases=[SEEN.releases[0], replace(SEEN.releases[1], lacks="its image")]),
        PULL, NEEDS, "image", "hand_over",
    ),
    "ECS rolls back already": (replace(SEEN, rolling_back=True), PULL, NEEDS, "image", "none"),
}  # fmt: skip


@pytest.mark.parametrize(("what", "ended", "needs", "cause", "action"), TABLE.values(), ids=TABLE)
def test_the_cause_is_named_and_going_back_weighed(
    what: Observation, ended: Death, needs: dict[str, Needs], cause: str, action: str
) -> None:
    found = diagnose(what, [ended] * 3, needs, "api", sick_tasks(what))
    decision = decide(what, found)
    assert (decision["cause"], decision["action"]) == (cause, action), decision
    assert ended.stopped.reason.rstrip(".") in " ".join(decision["because"])
    if action == "rollback":
        assert decision["definition"] == "api:1"
    if action == "hand_over":
        assert decision["to"]
        assert decision["plan"] == ["change nothing"]


def test_a_missing_secret_is_named() -> None:
    found = diagnose(SEEN, [LOCKED], SAME, "api", sick_tasks(SEEN))
    assert f"Restore or create {SECRET}," in decide(SEEN, found)["to"]


def test_the_log_s_last_lines_and_the_exit_code_are_said() -> None:
    because = decide(FRESH, diagnose(FRESH, [EXIT], NEEDS, "api", sick_tasks(FRESH)))["because"]
    assert "exit code 78" in because[0]
    assert because[1] == "its log ended with: DATABASE_HOST is not set."


def test_a_task_that_is_still_ending_lets_those_speak_that_have_ended() -> None:
    ending = death(EXITED, ENDED, lived=1.0)
    for deaths in ([ending, EXIT], [EXIT, ending]):
        found = diagnose(FRESH, deaths, NEEDS, "api", sick_tasks(FRESH))
        assert "exit code 78" in found.pro[0]
        assert "DATABASE_HOST is not set" in found.pro[1]


def test_the_more_frequent_cause_is_told() -> None:
    found = diagnose(SEEN, [KILLED, PULL, PULL], NEEDS, "api", sick_tasks(SEEN))
    assert found.cause == "image"
    assert found.pro[0].startswith("2 of 3 tasks")


def test_what_ended_of_another_revision_says_nothing() -> None:
    ended = [replace(PULL, stopped=replace(PULL.stopped, definition="api:1"))]
    found = diagnose(SEEN, ended, NEEDS, "api", sick_tasks(SEEN))
    decision = decide(SEEN, found)
    assert (decision["cause"], decision["action"]) == ("unknown", "none")


def test_a_hung_task_is_replaced() -> None:
    hung = replace(SEEN, tasks=[Task("a", "api:2"), Task("b", "api:2", target="unhealthy")])
    decision = decide(hung, diagnose(hung, [], NEEDS, "api", sick_tasks(hung)))
    assert (decision["cause"], decision["action"]) == ("hung", "restart")
    assert decision["tasks"] == ["b"]


def test_a_log_line_is_redacted_and_cut() -> None:
    said = shorten(f"password='hunter2' {'x' * 400}")
    assert "hunter2" not in said
    assert len(said) <= 301
