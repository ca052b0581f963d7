"""Tables of what can be seen of a failing service, each with the cause that it must be told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.drydock.ops.plugins.module_utils.diagnosis import (
    PRECEDENCE,
    decide,
    last_good,
    wanted,
    weigh,
)
from ansible_collections.drydock.ops.plugins.module_utils.observation import (
    Change,
    Observation,
    Release,
    Stopped,
    Task,
)

NOW = 1_000_000.0
PERIOD = 60


def ago(periods: float) -> float:
    return NOW - periods * PERIOD


def release(number: int, periods: float, **fields: Any) -> Release:
    """`api:N`, complete two periods after it was started."""
    return Release(f"api:{number}", ago(periods), ago(periods - 2), **fields)


def task(name: str, lines: int = 100, errors: int = 0, number: int = 2, **fields: Any) -> Task:
    return Task(name, f"api:{number}", lines=lines, errors=errors, **fields)


def flapped(count: int, number: int = 2) -> list[Stopped]:
    return [
        Stopped(f"s{n}", f"api:{number}", ago(3), "EssentialContainerExited", "exited")
        for n in range(count)
    ]


OLD = release(1, 5000, share=0.1)
# A sound service: released long ago, two tasks, some load.
SOUND = Observation(
    at=NOW,
    period=PERIOD,
    share=Change(0.0, 0.0),
    requests=Change(50, 50),
    latency=Change(0.05, 0.05),
    cpu=Change(20, 20),
    connections=20,
    limit=100,
    desired=2,
    maximum=6,
    current="api:2",
    releases=[release(2, 3000), OLD],
    tasks=[task("a"), task("b")],
)
RED = replace(SOUND, began=ago(6), share=Change(40, 0.0), target_errors=900)
FAILING = [task("a", errors=90), task("b", errors=85)]
FRESH = [release(2, 8), OLD]
SERVER = {"http_500": 175}
BUSY = {"database_busy": 175}
LOST = {"database_unavailable": 175}


def seen(base: Observation = RED, **fields: Any) -> Observation:
    return replace(base, **fields)


# Observation, cause, action.
TABLE = {
    "nothing is wrong": (SOUND, "unknown", "none"),
    "errors at once after a release": (
        seen(releases=FRESH, tasks=FAILING, kinds=SERVER),
        "bad_deploy",
        "rollback",
    ),
    "errors while a release is still under way": (
        seen(
            releases=[Release("api:2", ago(7), None, "IN_PROGRESS"), OLD],
            tasks=[task("a", errors=90), task("b", number=1)],
            kinds=SERVER,
        ),
        "bad_deploy",
        "rollback",
    ),
    "late since a release, with no more requests": (
        seen(SOUND, began=ago(6), latency=Change(3.0, 0.05), releases=FRESH),
        "bad_deploy",
        "rollback",
    ),
    "a release whose configuration makes the database time out": (
        seen(releases=FRESH, tasks=FAILING, kinds=LOST),
        "bad_deploy",
        "rollback",
    ),
    "errors an hour after a release, all of its tasks failing": (
        seen(releases=[release(2, 55), OLD], tasks=FAILING, kinds=SERVER),
        "bad_deploy",
        "rollback",
    ),
    "errors an hour after a release, no logs": (
        seen(releases=[release(2, 55), OLD], logs=False, tasks=[task("a", 0), task("b", 0)]),
        "unknown",
        "none",
    ),
    "the errors began before the last release": (
        seen(began=ago(20), releases=[release(2, 8), OLD], tasks=FAILING, kinds=SERVER),
        "unknown",
        "none",
    ),
    "the errors began with the release before the last, which has not mended it": (
        seen(
            began=ago(20),
            releases=[release(2, 8), release(3, 23), OLD],
            tasks=FAILING,
            kinds=SERVER,
        ),
        "bad_deploy",
        "rollback",
    ),
    "the same, but nothing proves that the one before served well": (
        seen(
            began=ago(20),
            releases=[release(2, 8), release(3, 23), release(1, 5000)],
            tasks=FAILING,
            kinds=SERVER,
        ),
        "bad_deploy",
        "hand_over",
    ),
    "the same revision released again is no new release": (
        seen(releases=[release(2, 8), release(2, 3000), OLD], tasks=FAILING, kinds=SERVER),
        "unknown",
        "none",
    ),
    "no logs, errors at once after a release": (
        seen(releases=FRESH, logs=False, tasks=[task("a", 0), task("b", 0)]),
        "bad_deploy",
        "rollback",
    ),
    "the first release ever": (
        seen(releases=[release(2, 8)], tasks=FAILING, kinds=SERVER),
        "bad_deploy",
        "hand_over",
    ),
    "the first that ever ran: what Terraform made has no image": (
        seen(
            releases=[release(2, 8), release(1, 20, lacks="its image is not in the registry")],
            tasks=FAILING,
            kinds=SERVER,
        ),
        "bad_deploy",
        "hand_over",
    ),
    "a roll back is under way": (
        seen(releases=FRESH, rolling_back=True, tasks=FAILING, kinds=SERVER),
        "rolling_back",
        "none",
    ),
    "the database is full": (
        seen(connections=95, tasks=FAILING, kinds=LOST),
        "dependency",
        "hand_over",
    ),
    "the database is full, and there was a release as well": (
        seen(connections=95, tasks=FAILING, kinds=BUSY, releases=FRESH),
        "dependency",
        "hand_over",
    ),
    "the database is full, but requests fail of something else": (
        seen(connections=95, tasks=FAILING, kinds=SERVER, releases=FRESH),
        "bad_deploy",
        "rollback",
    ),
    "the database is full and more is asked": (
        seen(connections=95, tasks=FAILING, kinds=BUSY, requests=Change(200, 50)),
        "dependency",
        "hand_over",
    ),
    "the database is full, answers are late, no logs": (
        seen(SOUND, began=ago(6), connections=95, latency=Change(2, 0.05), logs=False),
        "dependency",
        "hand_over",
    ),
    "the database does not serve, nothing was released": (
        seen(tasks=FAILING, kinds=LOST),
        "dependency",
        "hand_over",
    ),
    "one task does not reach the database": (
        seen(tasks=[task("a"), task("b", errors=95)], kinds=LOST),
        "sick_tasks",
        "restart",
    ),
    "one task fails, shortly after a release": (
        seen(tasks=[task("a"), task("b", errors=95)], kinds=SERVER, releases=FRESH),
        "sick_tasks",
        "restart",
    ),
    "one task is paused rather than killed: unhealthy and silent": (
        seen(target_errors=0, balancer_errors=50,
             tasks=[task("a"), task("b", lines=0, target="unhealthy")]),
        "sick_tasks",
        "restart",
    ),
    "one task is paused, and the load balancer has not noticed yet": (
        seen(target_errors=0, balancer_errors=50, tasks=[task("a"), task("b", lines=0)]),
        "sick_tasks",
        "restart",
    ),
    "one task is silent, shortly after a release": (
        seen(tasks=[task("a"), task("b", lines=0)], releases=FRESH),
        "sick_tasks",
        "restart",
    ),
    "every task logs that all is well, whatever the load balancer counts": (
        seen(tasks=[task("a"), task("b")], releases=FRESH),
        "unknown",
        "none",
    ),
    "a task that has only just started is not silent": (
        seen(tasks=[task("a"), task("b", lines=0, age=PERIOD)]),
        "unknown",
        "none",
    ),
    "both tasks fail": (seen(tasks=FAILING, kinds=SERVER), "unknown", "none"),
    "too many tasks are sick": (
        seen(
            desired=4,
            tasks=[task("a"), *(task(n, errors=95) for n in "bcd")],
            kinds=SERVER,
        ),
        "unknown",
        "none",
    ),
    "tasks end again and again": (
        seen(stopped=flapped(4), tasks=[task("a"), task("b", target="initial")], kinds=SERVER),
        "flapping",
        "hand_over",
    ),
    "tasks end again and again since a release": (
        seen(
            stopped=flapped(4),
            releases=FRESH,
            tasks=[task("a", 0, target="initial"), task("b", 0, target="initial")],
        ),
        "bad_deploy",
        "rollback",
    ),
    "tasks ended for a release and a scaling are no flapping": (
        seen(
            stopped=[
                Stopped(f"s{n}", "api:1", ago(3), "ServiceSchedulerInitiated",
                        "Scaling activity initiated by (deployment ecs-svc/1)")
                for n in range(6)
            ],
            tasks=[task("a"), task("b", target="initial")],
        ),
        "unknown",
        "none",
    ),
    "more requests, late answers": (
        seen(SOUND, began=ago(6), requests=Change(150, 50), latency=Change(2, 0.05)),
        "overload",
        "scale",
    ),
    "busy processors, late answers, as many requests": (
        seen(SOUND, began=ago(6), cpu=Change(97, 20), latency=Change(2, 0.05)),
        "overload",
        "scale",
    ),
    "more requests than the tasks' own connections serve": (
        seen(requests=Change(150, 50), latency=Change(2.2, 0.05), tasks=FAILING, kinds=BUSY),
        "overload",
        "scale",
    ),
    "more requests shortly after a release": (
        seen(SOUND, began=ago(6), requests=Change(150, 50), latency=Change(2, 0.05),
             releases=FRESH),
        "overload",
        "scale",
    ),
    "more requests, and errors that load does not explain": (
        seen(requests=Change(150, 50), latency=Change(2, 0.05), tasks=FAILING, kinds=SERVER),
        "unknown",
        "none",
    ),
    "more requests, but as many tasks as there may be": (
        seen(SOUND, began=ago(6), requests=Change(150, 50), latency=Change(2, 0.05), desired=6),
        "overload",
        "hand_over",
    ),
    "more requests, but the database has no room for more tasks": (
        seen(SOUND, began=ago(6), requests=Change(150, 50), latency=Change(2, 0.05),
             connections=75),
        "overload",
        "hand_over",
    ),
    "more requests, one task hung": (
        seen(SOUND, began=ago(6), requests=Change(150, 50), latency=Change(2, 0.05),
             tasks=[task("a"), task("b", lines=0)]),
        "sick_tasks",
        "restart",
    ),
    "late, and nothing says why": (
        seen(SOUND, began=ago(6), latency=Change(2, 0.05)),
        "unknown",
        "none",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("what", "cause", "action"), TABLE.values(), ids=TABLE)
def test_the_cause_is_told(what: Observation, cause: str, action: str) -> None:
    decision = decide(what, "api", "ansible-playbook -i inventories/dev")
    assert (decision["cause"], decision["action"]) == (cause, action), decision
    assert decision["because"]
    if action in ("hand_over", "none"):
        assert decision["to"]
    if action == "rollback":
        assert decision["definition"] == "api:1"
        assert decision["undo"] == ["run api:2 again"]


def test_every_cause_is_weighed_with_figures() -> None:
    findings = {one.cause: one for one in weigh(seen(connections=95, kinds=LOST, releases=FRESH))}
    assert set(findings) == set(PRECEDENCE)
    assert "95 of 100 database connections are in use" in findings["dependency"].pro
    assert all(one.pro or one.contra for one in findings.values())


def test_two_causes_at_once_are_both_said_and_the_order_explained() -> None:
    decision = decide(seen(connections=95, tasks=FAILING, kinds=BUSY, releases=FRESH), "api", "run")
    assert decision["to"] == "run runbooks/db-connections-exhausted.yml"
    assert "bad_deploy would hold too, but dependency goes first" in " ".join(decision["because"])


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("nodes_away", "Solana's nodes do not serve it: runbooks/solana-node-lagging.yml"),
        ("Connection refused", "it has no database"),
    ],
)
def test_what_has_no_database_is_not_sent_to_one(kind: str, words: str) -> None:
    alone = seen(connections=0, limit=0, tasks=FAILING, kinds={kind: 175})
    decision = decide(alone, "rpc_cache", "run")
    assert (decision["cause"], decision["action"]) == ("dependency", "hand_over")
    assert words in decision["to"]
    assert "aws rds" not in decision["to"]


def test_flapping_is_handed_over_with_the_command() -> None:
    decision = decide(TABLE["tasks end again and again"][0], "api", "run")
    assert decision["to"] == "run runbooks/ecs-tasks-flapping.yml -e workload=api"


def test_the_last_good_release_is_not_one_that_was_bad_itself() -> None:
    history = [
        release(4, 8),
        release(3, 30, share=35.0),
        release(2, 60, status="ROLLBACK_SUCCESSFUL", share=0.0),
        release(3, 90, share=0.0),
        release(1, 120, share=0.2),
    ]
    found = last_good(seen(current="api:4", releases=history), history[0])
    assert found == history[4]


def test_a_release_that_was_replaced_at_once_is_not_returned_to_unproven() -> None:
    history = [release(4, 8), release(3, 12), release(2, 90, share=0.0)]
    assert last_good(seen(current="api:4", releases=history), history[0]) == history[2]
    proven = [history[0], replace(history[1], share=0.5), history[2]]
    assert last_good(seen(current="api:4", releases=proven), proven[0]) == proven[1]


def test_an_unproven_release_is_good_enough_for_the_one_after_it_only() -> None:
    history = [release(2, 8), release(1, 90)]
    assert last_good(seen(releases=history), history[0]) == history[1]
    assert last_good(seen(releases=history), history[0], proven=True) is None


@pytest.mark.parametrize(
    ("desired", "maximum", "requests", "connections", "count"),
    [
        (2, 6, Change(300, 50), 20, 4),  # never more than twice as many
        (2, 3, Change(300, 50), 20, 3),  # nor more than there may be
        (4, 20, Change(64, 40), 20, 7),  # as much more as is asked
        (4, 20, Change(None, None), 20, 6),  # half as many again where that is not known
        (2, 6, Change(300, 50), 60, 3),  # the database has room for one more
        (2, 6, Change(300, 50), 0, 4),
    ],
)
def test_how_many_tasks_are_wanted(
    desired: int, maximum: int, requests: Change, connections: float, count: int
) -> None:
    what = seen(desired=desired, maximum=maximum, requests=requests, connections=connections)
    assert wanted(what) == count
