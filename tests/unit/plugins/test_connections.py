"""Why connections run out: each cause by a table of sessions, and what is never ended."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.drydock.ops.plugins.module_utils.connections import (
    Bounds,
    Facts,
    Workload,
    lines,
    protected,
    survey,
    table,
)
from ansible_collections.drydock.ops.plugins.module_utils.connections_decision import decide

TASKS = ("10.0.1.10", "10.0.1.11")


def session(pid: int, **changed: Any) -> dict[str, Any]:
    """A session of the workload's, resting in its pool; ages fall with the PID."""
    return {
        "pid": pid,
        "backend_start": f"2026-01-01 00:00:{pid % 60:02}+00",
        "backend_type": "client backend",
        "role": "drydock",
        "application": "",
        "address": TASKS[pid % 2],
        "state": "idle",
        "age": 1000.0 - pid,
        "state_age": 1.0,
        "superuser": False,
        "replication": False,
        "admin": True,
        "blocked": False,
        "own": False,
        **changed,
    }


def many(count: int, first: int = 1, **changed: Any) -> list[dict[str, Any]]:
    return [session(first + n, **changed) for n in range(count)]


def leak(count: int, first: int = 100, **changed: Any) -> list[dict[str, Any]]:
    """Sessions of another role, from elsewhere, that keep a transaction open."""
    how = {"role": "reports", "address": "10.0.9.9", "admin": False,
           "state": "idle in transaction", "state_age": 90.0}  # fmt: skip
    return many(count, first, **{**how, **changed})


WALSENDER = session(900, backend_type="walsender", role="rdsrepladmin", replication=True)


def facts(sessions: list[dict[str, Any]] | None, **changed: Any) -> Facts:
    workload = {"pool_max": 10, "desired": 2, "host": "db", "addresses": frozenset(TASKS)}
    workload |= changed.pop("workload", {})
    given = {"max_connections": 60, "reserved": 5, "alarm_at": 48, **changed}
    return Facts(sessions=sessions, workloads=[Workload("trading_api", **workload)], **given)


def test_below_the_alarm_nothing_is_done():
    made = decide(facts(many(20) + leak(5)), Bounds())
    assert (made["action"], made["targets"]) == ("none", [])


def test_a_leak_by_another_role_is_ended_oldest_first_and_nothing_else():
    made = decide(facts([*many(12), *leak(40), WALSENDER]), Bounds())
    assert made["action"] == "end_sessions" and "reports" in made["cause"]
    assert [one["pid"] for one in made["targets"]] == list(range(100, 140))
    assert (made["watch"], made["environment"]) == ("", {})


def test_no_more_are_ended_than_allowed_and_what_remains_is_said():
    made = decide(facts([*many(12), *leak(40)]), Bounds(max_ended=15))
    assert [one["pid"] for one in made["targets"]] == list(range(100, 115))
    assert any("25 remain: max_ended is 15" in text for text in made["plan"])


def test_sessions_idle_for_long_are_leaked_unless_they_are_in_a_workloads_pool():
    resting = leak(40, state="idle", state_age=400.0)
    made = decide(facts([*many(12, state_age=4000.0), *resting]), Bounds())
    assert {one["role"] for one in made["targets"]} == {"reports"}
    young = decide(facts([*many(12), *leak(40, state="idle", state_age=50.0)]), Bounds())
    assert young["action"] == "hand_over"
    assert any(
        "40 sessions of role reports" in text and "60 s" in text for text in young["because"]
    )


def test_a_leak_in_the_app_is_ended_and_watched():
    held = many(50, state="idle in transaction", state_age=60.0)
    made = decide(facts(held), Bounds())
    assert (made["action"], made["watch"]) == ("end_sessions", "trading_api")
    assert any("restart" in text for text in made["plan"])


def test_what_a_task_holds_beyond_its_pool_is_leaked():
    found = survey(facts(many(50)), Bounds())
    beyond = [one for one in found if one["leaked"]]
    assert len(beyond) == 50 - 2 * 10
    assert {one["leaked"] for one in beyond} == {"beyond its task's pool of 10"}
    assert decide(facts(many(50)), Bounds())["watch"] == "trading_api"


def test_sessions_of_tasks_that_are_gone_are_leaked():
    gone = many(40, 100, address="10.0.1.99")
    made = decide(facts([*many(12), *gone], workload={"stopped": frozenset({"10.0.1.99"})}),
                  Bounds())  # fmt: skip
    assert len(made["targets"]) == 40 and "stopped" in made["cause"]


def test_pools_too_large_in_sum_are_resized_so_that_a_deployment_fits():
    made = decide(facts(many(52), workload={"pool_max": 40}), Bounds())
    assert made["action"] == "resize_pools"
    assert made["environment"] == {"DATABASE_POOL_MAX": "11"}
    assert 4 * 11 < 48
    assert len(made["targets"]) == 1  # 2 tasks x 2 connections to start with, 3 slots are free


def test_room_is_made_for_the_smaller_pool_only():
    made = decide(facts(many(52), workload={"pool_max": 40, "pool_min": 25}), Bounds())
    assert made["environment"] == {"DATABASE_POOL_MAX": "11", "DATABASE_POOL_MIN": "11"}
    assert len(made["targets"]) == 2 * 11 - (55 - 52)


def test_pools_too_large_in_sum_go_to_the_proxy_where_there_is_one():
    made = decide(facts(many(52), proxy="proxy", workload={"pool_max": 40}), Bounds())
    assert (made["action"], made["environment"]) == ("use_proxy", {"DATABASE_HOST": "proxy"})
    used = facts(many(52), proxy="proxy", workload={"pool_max": 40, "host": "proxy"})
    assert decide(used, Bounds())["action"] == "hand_over"


def test_more_tasks_than_connections_go_to_a_person():
    tasks = frozenset(f"10.0.2.{n}" for n in range(30))
    full = [session(n, address=f"10.0.2.{n % 30}") for n in range(55)]
    made = decide(
        facts(full, workload={"pool_max": 2, "desired": 30, "addresses": tasks}), Bounds()
    )
    assert made["action"] == "hand_over" and "more tasks" in made["cause"]


def test_a_leak_beside_too_large_pools_mends_both():
    both = many(50, state="active") + leak(20)
    made = decide(facts(both, workload={"pool_max": 40}), Bounds())
    assert made["action"] == "end_sessions" and made["environment"]
    assert len(made["targets"]) == 20


def test_a_storm_of_new_tasks_goes_to_its_own_runbook():
    made = decide(facts(many(48, state="active"), workload={"stopped_recently": 5}), Bounds())
    assert made["action"] == "hand_over" and "ecs-tasks-flapping.yml" in made["to"]


@pytest.mark.parametrize("asked", [False, True])
def test_active_queries_are_ended_only_when_asked(asked: bool):
    slow = leak(45, state="active", state_age=900.0)
    made = decide(facts([*many(5), *slow]), Bounds(end_active=asked))
    assert made["action"] == ("end_sessions" if asked else "hand_over")
    assert len(made["targets"]) == (45 if asked else 0)


def test_without_a_slot_the_pools_alone_decide():
    made = decide(facts(None, workload={"pool_max": 40}), Bounds())
    assert made["action"] == "resize_pools" and made["targets"] == []
    lost = decide(facts(None), Bounds())
    assert lost["action"] == "hand_over" and "can't be seen" in lost["cause"]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"own": True}, "runbook"),
        ({"application": "drydock-runbook"}, "runbook"),
        ({"backend_type": "walsender"}, "replication"),
        ({"backend_type": "autovacuum worker"}, "server's own"),
        ({"superuser": True}, "RDS"),
        ({"role": "rdsadmin"}, "RDS"),
        ({"role": "rdsproxyadmin"}, "RDS"),
        ({"replication": True}, "replicate"),
        ({"admin": True, "address": "10.0.9.9"}, "administrator"),
    ],
)
def test_what_is_never_ended(changed: dict[str, Any], why: str):
    one = session(1, state="idle in transaction", state_age=9999.0, **changed)
    found = survey(facts([one]), Bounds())
    assert why in found[0]["protected"] and not found[0]["leaked"]
    # Nor by being many, as long as a person may have opened them.
    kept = [{**one, "pid": 200 + n, "application": one["application"] or "psql"} for n in range(20)]
    made = decide(facts([*many(12), *leak(40), *kept]), Bounds())
    assert {target["pid"] for target in made["targets"]} == set(range(100, 140))


def test_an_administrators_role_is_ended_only_by_name():
    one = session(1, address="10.0.9.9")
    assert protected(one, "elsewhere", Bounds())
    assert not protected(one, "elsewhere", Bounds(roles=["drydock"]))
    assert protected({**one, "superuser": True}, "elsewhere", Bounds(roles=["drydock"]))


def test_a_crowd_of_the_masters_sessions_is_no_administrator():
    crowd = leak(40, role="drydock", admin=True, application="batch")
    made = decide(facts([*many(12), *crowd]), Bounds())
    assert len(made["targets"]) == 40
    tool = leak(40, role="drydock", admin=True, application="psql")
    assert decide(facts([*many(12), *tool]), Bounds())["targets"] == []


def test_bounds_by_role_and_application():
    mixed = leak(30) + leak(20, 200, application="etl")
    made = decide(facts(mixed), Bounds(applications=["etl"]))
    assert {one["application"] for one in made["targets"]} == {"etl"}
    assert decide(facts(mixed), Bounds(roles=["nobody"]))["targets"] == []


def test_the_table_says_who_and_never_what():
    rows = table(survey(facts([*many(12), *leak(40), WALSENDER]), Bounds()))
    assert [(row["role"], row["sessions"], row["leaked"]) for row in rows] == [
        ("reports", 40, 40),
        ("drydock", 12, 0),
    ]
    text = "\n".join(lines(rows))
    assert "idle in transaction" in text and "trading_api" in text and "walsender" not in text
