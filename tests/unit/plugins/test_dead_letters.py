"""Dead letters are redriven once what they were refused for is mended, and not before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.drydock.ops.plugins.module_utils.dead_letters import (
    Letters,
    Reason,
    decide,
    sentences,
)
from ansible_collections.drydock.ops.plugins.module_utils.ecs import DeploymentFailed
from ansible_collections.drydock.ops.plugins.modules import (
    dead_letter_diagnosis,
    dead_letter_redrive,
)

COMMAND = "ansible-playbook -i inventories/dev"
SWAP = Reason("unknown type 'swap': EVENT_TYPES has logs, slot", 30, newest=400)
INVALID = Reason("invalid: slot: Input should be a valid integer", 2, newest=400)
SEEN = Letters(
    32, 0, [INVALID, SWAP], types=frozenset({"logs", "slot", "swap"}), revision="consumer:8"
)


def decided(most: int = 1000, **change: Any) -> dict[str, Any]:
    return decide(replace(SEEN, **change), most, COMMAND, "consumer")


def test_the_reasons_are_shown_the_most_frequent_first() -> None:
    many = [Reason(f"reason {n}", 1) for n in range(12)]
    said = sentences(replace(SEEN, reasons=[*many, SWAP]))
    assert said[0] == "32 letters wait, 0 are being looked at"
    assert said[1].startswith("30x unknown type 'swap'")
    assert said[-1] == "and 3 reasons more"


def test_letters_whose_cause_may_be_mended_are_redriven_one_of_each_first() -> None:
    found = decided()
    assert found["action"] == "redrive"
    assert "one letter of each reason (2) with consumer:8" in found["plan"][0]


@pytest.mark.parametrize(
    ("change", "cause", "to"),
    [
        ({"types": frozenset({"logs", "slot"})},
         "consumer:8 does not apply 'swap' (EVENT_TYPES is logs, slot)", "deploy.yml --limit"),
        ({"reasons": [replace(INVALID, recent=2, newest=3)]},
         "refused 2 for it of late, the last 3 s ago", "mend what refuses them"),
        ({"running": 0}, "no task of the consumer runs", "ecs-tasks-flapping.yml"),
        ({"rolling": True}, "a release is taking over", "start this again"),
    ],
)  # fmt: skip
def test_what_would_only_come_back_is_refused(change: dict[str, Any], cause: str, to: str) -> None:
    found = decided(**change)
    assert found["action"] == "hand_over"
    assert cause in found["cause"] and to in found["to"]


def test_more_letters_than_allowed_are_refused_with_the_way_to_allow_them() -> None:
    assert decided(most=32)["action"] == "redrive"
    found = decided(most=31)
    assert found["action"] == "hand_over"
    assert "-e max_letters=32" in found["to"]


def test_without_a_letter_there_is_nothing_to_do() -> None:
    assert decided(waiting=0)["action"] == "none"
    assert decided(waiting=0, held=1)["action"] == "redrive"


class Runs:
    """Redrive's tasks, played: what each tells, and how many letters wait after it."""

    revision = "consumer:8"

    def __init__(self, waiting: int, *tells: tuple[dict[str, Any], int]) -> None:
        self.left, self.tells, self.words = waiting, list(tells), []

    def waiting(self) -> int:
        return self.left

    def run(self, *words: str) -> dict[str, Any]:
        self.words.append(" ".join(words))
        told, self.left = self.tells.pop(0)
        return {"applied": 0, "known": 0, "refused": 0, "reasons": {}, **told}


class Steps:
    """A journal that only remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def begin(self, step: str, undo: Any, *, keep: bool) -> None:
        assert undo is None and keep
        self.said.append(f"begin {step}")

    def done(self, step: str) -> None:
        self.said.append(f"done {step}")


def redrive(runs: Runs, journal: Steps | None, **want: Any) -> dict[str, Any]:
    given = {"max_letters": 1000, "batch": 500, "service": "consumer", **want}
    return dead_letter_redrive.redrive(runs, given, journal)


def test_a_trial_goes_first_and_batches_follow() -> None:
    runs = Runs(1100, ({"applied": 2}, 1098), ({"applied": 500}, 598), ({"known": 400}, 198))
    journal = Steps()
    found = redrive(runs, journal, max_letters=902)
    assert runs.words == ["--limit 902 --trial", "--limit 500", "--limit 400"]
    assert (found["applied"], found["known"]) == (502, 400)
    assert journal.said == [
        "begin redrive dead letters with consumer:8",
        "done redrive dead letters with consumer:8",
    ]


def test_nothing_follows_a_letter_that_is_refused_again() -> None:
    runs = Runs(30, ({"refused": 1, "reasons": {"unknown type 'swap'": 1}}, 30))
    with pytest.raises(DeploymentFailed, match=r"consumer:8 refuses letters again.*swap.*0 were"):
        redrive(runs, Steps())
    assert runs.words == ["--limit 1000 --trial"]


def test_letters_that_cannot_be_received_end_it() -> None:
    runs = Runs(3, ({}, 3))
    assert redrive(runs, Steps())["applied"] == 0
    assert len(runs.words) == 1


def test_a_rehearsal_runs_no_task() -> None:
    runs = Runs(30)
    found = redrive(runs, None)
    assert found["changed"] and "30" in found["diff"]["before"]
    assert runs.words == []
    assert not redrive(Runs(0), Steps())["changed"]


def test_what_is_seen_of_queue_table_and_release(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ecs, sqs = aws("ecs"), aws("sqs")
    queue = sqs.create_queue(QueueName="dead")["QueueUrl"]
    for number in range(3):
        sqs.send_message(QueueUrl=queue, MessageBody=str(number))
    ecs.create_cluster(clusterName="c")
    container = {"name": "consumer", "image": "i", "memory": 512,
                 "environment": [{"name": "EVENT_TYPES", "value": "logs, slot"}]}  # fmt: skip
    ecs.register_task_definition(family="consumer", containerDefinitions=[container])
    ecs.create_service(cluster="c", serviceName="s", taskDefinition="consumer", desiredCount=1)
    asked = []
    monkeypatch.setattr(
        dead_letter_diagnosis, "reasons", lambda want, since: asked.append(since) or [SWAP]
    )
    want = {"cluster": "c", "service": "s", "container": "consumer", "queue_url": queue}
    seen = dead_letter_diagnosis.observe(want, aws)
    assert (seen.waiting, seen.held, seen.revision) == (3, 0, "consumer:1")
    assert seen.types == {"logs", "slot"}
    assert seen.reasons == [SWAP]
    assert asked and asked[0] > 0


class Ecs:
    """RunTask, played: the task is there, ends, and has told its log."""

    def __init__(self, code: int, *lines: str) -> None:
        self.code, self.lines, self.asked = code, list(lines), {}
        self.ecs = self.service = self

    def describe(self) -> dict[str, Any]:
        return {"taskDefinition": "arn/consumer:8", "networkConfiguration": {"subnets": ["s"]},
                "launchType": "FARGATE"}  # fmt: skip

    def run_task(self, **asked: Any) -> dict[str, Any]:
        self.asked = asked
        task = {"taskArn": "arn/t1", "lastStatus": "PENDING", "containers": [{}]}
        return {"tasks": [task], "failures": []}

    def describe_tasks(self, **_: Any) -> dict[str, Any]:
        ended = {"taskArn": "arn/t1", "lastStatus": "STOPPED", "stoppedReason": "it ended",
                 "containers": [{"exitCode": self.code}]}  # fmt: skip
        return {"tasks": [ended]}

    def log(self, *_: Any, **__: Any) -> list[str]:
        return self.lines


WANT = {"cluster": "c", "service": "s", "container": "consumer", "instead_of": "consumer:8",
        "queue_url": "q", "wait_timeout": 60}  # fmt: skip


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letter_redrive, "POLL_SECONDS", 0)


def test_a_task_redrives_where_the_service_runs(quick: None) -> None:
    told = '{"applied": 2, "known": 0, "refused": 1, "reasons": {"x": 1}}'
    ecs = Ecs(1, "no JSON", '{"event": "redriven"}', told, "[]")
    one = dead_letter_redrive.Redrive(ecs, WANT, None)
    assert one.run("--limit", "5")["applied"] == 2
    (override,) = ecs.asked["overrides"]["containerOverrides"]
    assert override["command"] == ["python", "-m", "consumer.redrive", "--limit", "5"]
    assert ecs.asked["networkConfiguration"] == {"subnets": ["s"]}
    assert ecs.asked["launchType"] == "FARGATE"


def test_a_task_that_fails_is_told(quick: None) -> None:
    one = dead_letter_redrive.Redrive(Ecs(69, "{}"), WANT, None)
    with pytest.raises(DeploymentFailed, match=r"t1 that was to redrive ended with 69 \(it ended"):
        one.run()


def test_another_release_than_the_decision_s_is_refused() -> None:
    with pytest.raises(DeploymentFailed, match=r"runs consumer:8 by now.*made on consumer:7"):
        dead_letter_redrive.Redrive(Ecs(0), {**WANT, "instead_of": "consumer:7"}, None)
