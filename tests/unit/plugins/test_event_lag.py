"""Why events wait: each cause is told from the others, and its cure keeps within its bounds."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.drydock.ops.plugins.module_utils.ecs import Service
from ansible_collections.drydock.ops.plugins.module_utils.event_lag import (
    Lag,
    Shard,
    Task,
    decide,
    frozen,
)
from ansible_collections.drydock.ops.plugins.modules import event_lag_diagnosis

COMMAND = "ansible-playbook -i inventories/dev"
WELL = Lag(
    shards=[Shard("shardId-0", "t1", behind=90_000), Shard("shardId-1", "t1", behind=80_000)],
    tasks=[Task("t1", 1000), Task("t2", 1000)],
    incoming=100,
    applied=90,
    watched=3,
    desired=2,
    maximum=4,
)


def decided(seen: Lag) -> dict[str, Any]:
    return decide(seen, COMMAND, "consumer")


def shards(number: int, **more: Any) -> list[Shard]:
    """Shards that are behind, each with a reader of its own."""
    return [Shard(f"shardId-{n}", f"t{n}", **({"behind": 60_000.0} | more)) for n in range(number)]


def tasks(number: int) -> list[Task]:
    return [Task(f"t{n}", 1000) for n in range(number)]


@pytest.mark.parametrize(
    ("shard", "task", "is_frozen"),
    [
        # Nothing of its lease, whatever its log says.
        (Shard("s", "t", alive=False, moved=False), Task("t", 1000), True),
        # It lives, its shard stands still, events wait, and it says nothing of why.
        (Shard("s", "t", moved=False, behind=60_000), Task("t", 1000), True),
        (Shard("s", "t", moved=False, behind=60_000), Task("t", 1000, trying={"OSError": 3}),
         False),
        # Nothing comes, so nothing moves.
        (Shard("s", "t", moved=False, behind=0), Task("t", 1000), False),
        (Shard("s", "t", behind=60_000), Task("t", 1000), False),
        # A standby that reaches nothing, or is silent, or is well.
        (Shard("s", "other"), Task("t", 1000, unavailable=2), True),
        (Shard("s", "other"), Task("t", 1000, lines=0), True),
        (Shard("s", "other"), Task("t", 1000), False),
        # Too young to be judged.
        (Shard("s", "t", alive=False, moved=False), Task("t", 5), False),
    ],
)  # fmt: skip
def test_a_task_that_does_no_work_is_told_from_one_that_waits(
    shard: Shard, task: Task, is_frozen: bool
) -> None:
    assert frozen(replace(WELL, shards=[shard], tasks=[task])) == (["t"] if is_frozen else [])


def test_frozen_tasks_are_replaced_the_owners_first() -> None:
    dead = [Shard("s", "t2", alive=False, moved=False)]
    idle = [Task("t1", 1000, unavailable=1), Task("t2", 1000), Task("t3", 1000)]
    found = decided(replace(WELL, shards=dead, tasks=idle))
    assert (found["action"], found["tasks"]) == ("restart", ["t2", "t1"])
    assert "2 of 3 tasks" in found["cause"]


@pytest.mark.parametrize(
    ("change", "cause", "to"),
    [
        ({"rolling": True}, "a release is taking over", "wait for it"),
        ({"tasks": []}, "no task of the consumer runs", "ecs-tasks-flapping.yml"),
        ({"flapped": 3}, "do not stay up", "-e workload=consumer"),
        ({"tasks": [Task("t1", 1000, trying={"TooManyConnectionsError": 9, "ClientError": 1})]},
         "the database does not take the events (TooManyConnectionsError)",
         "db-connections-exhausted.yml"),
        ({"tasks": [Task("t1", 1000, trying={"TimeoutError": 9})]}, "(TimeoutError)", "RDS"),
        ({"throttled": 4}, "Kinesis throttles", "event_stream.shards"),
        ({"tasks": [Task("t1", 1000, trying={"ClientError": 2})]}, "AWS refuses", "its role"),
        ({"applied": 10, "rejected": 10}, "refused events", "dlq-redrive.yml"),
        ({"shards": [Shard("a", "t1", behind=90_000), Shard("b", "t2", behind=10)]},
         "a gets more events than one reader can apply", "one key stay in one shard"),
        ({"shards": shards(2), "tasks": tasks(2)}, "than a reader of each shard can apply",
         "event_stream.shards"),
        ({"shards": shards(4), "tasks": tasks(2), "maximum": 2}, "than a reader of each shard",
         "max_count above 2"),
    ],
)  # fmt: skip
def test_what_it_cannot_mend_is_handed_over(change: dict[str, Any], cause: str, to: str) -> None:
    found = decided(replace(WELL, **change))
    assert found["action"] == "hand_over", found
    assert cause in found["cause"]
    assert to in found["to"]


@pytest.mark.parametrize(
    ("readers", "number", "maximum", "count"),
    [(1, 4, 4, 2), (2, 4, 4, 4), (3, 4, 8, 4), (2, 8, 3, 3)],
)
def test_more_tasks_at_most_doubled_and_one_for_each_shard(
    readers: int, number: int, maximum: int, count: int
) -> None:
    crowded = [Shard(f"s{n}", f"t{n % readers}", behind=60_000) for n in range(number)]
    seen = replace(WELL, shards=crowded, tasks=tasks(readers), desired=readers, maximum=maximum)
    found = decided(seen)
    assert (found["action"], found["count"]) == ("scale", count)


def test_nothing_is_done_where_nothing_waits() -> None:
    found = decided(replace(WELL, shards=[Shard("s", "t1", behind=0)]))
    assert found["action"] == "none"


def _lease(counter: int, **more: Any) -> dict[str, Any]:
    return {"owner": "o", "counter": counter, "fence": 1, "checkpoint": "5", "parents": [], **more}


def test_leases_are_watched_until_all_show_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_lag_diagnosis, "POLL_SECONDS", 0)
    ended = _lease(1, checkpoint="SHARD_END")
    counters = [(1, 1), (2, 1), (2, 2)]
    looks = iter([{"a": _lease(a), "b": _lease(b), "c": ended} for a, b in counters])
    before, after, _ = event_lag_diagnosis.watch(lambda: next(looks), 60)
    assert (before["b"]["counter"], after["b"]["counter"]) == (1, 2)
    assert next(looks, None) is None
    # One that never does costs the time, and no more.
    before, after, over = event_lag_diagnosis.watch(lambda: {"a": _lease(1)}, 0.05)
    assert before == after and over >= 0.05


def test_children_wait_for_their_parents() -> None:
    found = {"s0": _lease(1, checkpoint="SHARD_END"), "s1": _lease(1, parents=["s0"]),
             "s2": _lease(1, parents=["s1"]), "s3": _lease(1, parents=["gone"])}  # fmt: skip
    assert event_lag_diagnosis.readable(found) == ["s1", "s3"]


def test_owners_are_found_by_their_host_names() -> None:
    def task(name: str, ip: str) -> dict[str, Any]:
        details = [{"name": "privateIPv4Address", "value": ip}]
        return {"taskArn": f"arn/{name}", "attachments": [{"details": details}]}

    running = [task("t1", "10.0.1.5"), task("t2", "10.0.1.55")]
    assert event_lag_diagnosis.owner_of("ip-10-0-1-55", running) == "t2"
    assert event_lag_diagnosis.owner_of("ip-10-0-1-5.us-east-1.compute.internal", running) == "t1"
    assert event_lag_diagnosis.owner_of("ip-10-0-1-6", running) == ""
    assert event_lag_diagnosis.owner_of("", running) == ""


def test_what_the_log_says() -> None:
    lines = [
        {"event": "leases_unavailable", "reason": "…"},
        {"event": "read_failed", "reason": "ProvisionedThroughputExceededException: slow down"},
        {"event": "try_again", "reason": "TimeoutError: too late"},
        {"event": "try_again", "reason": "TimeoutError"},
        {"event": "metrics"},
    ]
    unavailable, trying = event_lag_diagnosis.said([*map(json.dumps, lines), "no JSON", "[1]"])
    assert unavailable == 2
    assert trying["TimeoutError"] == 2
    assert [what for what in trying if "Exceeded" in what]


def test_the_figures_are_of_now(aws: Any) -> None:
    at, period = time.time(), 60
    for name, value, dimensions in (
        ("Applied", 120, {"Service": "consumer"}),
        ("MillisBehindLatest", 4000, {"Service": "consumer", "Shard": "s0"}),
    ):
        aws("cloudwatch").put_metric_data(
            Namespace="Drydock/Consumer",
            MetricData=[{"MetricName": name, "Value": value, "Timestamp": at - period,
                         "Dimensions": [{"Name": k, "Value": v} for k, v in dimensions.items()]}],
        )  # fmt: skip
    want = {"period": period, "workload": "consumer", "stream": "events"}
    found = event_lag_diagnosis.Figures(aws("cloudwatch"), want, at).read(["s0", "s1"])
    assert found["applied"] == pytest.approx(0.5, rel=0.3)
    assert (found["s0"], found["s1"], found["incoming"], found["throttled"]) == (4000, None, 0, 0)


def test_what_is_seen_of_leases_tasks_and_logs(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ecs, dynamodb = aws("ecs"), aws("dynamodb")
    ecs.create_cluster(clusterName="c")
    container = {"name": "consumer", "image": "i", "memory": 512,
                 "environment": [{"name": "LEASE_SECONDS", "value": "0.1"}]}  # fmt: skip
    ecs.register_task_definition(family="consumer", containerDefinitions=[container])
    ecs.create_service(cluster="c", serviceName="s", taskDefinition="consumer", desiredCount=2)
    dynamodb.create_table(
        TableName="leases",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
    )
    for key, owner in (("shardId-0", "ip-10-0-1-5"), ("listener", "x")):
        row = {"leaseKey": {"S": key}, "leaseOwner": {"S": owner}, "leaseCounter": {"N": "7"},
               "fence": {"N": "1"}, "checkpoint": {"S": "5"}}  # fmt: skip
        dynamodb.put_item(TableName="leases", Item=row)
    started = datetime.fromtimestamp(time.time() - 500, UTC)
    details = [{"name": "privateIPv4Address", "value": "10.0.1.5"}]
    running = {"taskArn": "arn/t1", "startedAt": started, "attachments": [{"details": details}]}
    monkeypatch.setattr(
        event_lag_diagnosis.ServiceFacts, "log",
        lambda *_, **__: ['{"event": "leases_unavailable"}'],
    )  # fmt: skip
    monkeypatch.setattr(Service, "tasks", lambda _, state: [running] if state == "RUNNING" else [])
    want = {"cluster": "c", "service": "s", "container": "consumer", "workload": "consumer",
            "stream": "events", "lease_table": "leases", "period": 60}  # fmt: skip
    seen = event_lag_diagnosis.observe(want, aws)
    assert [(one.id, one.owner, one.alive, one.moved) for one in seen.shards] == [
        ("shardId-0", "t1", False, False)
    ]
    (task,) = seen.tasks
    assert (task.id, task.unavailable, task.age > 400) == ("t1", 1, True)
    assert (seen.desired, seen.lease_seconds, seen.revision) == (2, 0.1, "consumer:1")
    assert decided(seen)["tasks"] == ["t1"]
