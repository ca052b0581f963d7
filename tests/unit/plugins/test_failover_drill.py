"""The failover drill: measured from acknowledgements, judged by what survived."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from ansible_collections.drydock.ops.plugins.module_utils import failover
from ansible_collections.drydock.ops.plugins.module_utils.write_load import (
    Ack,
    WriteLoad,
    curve,
    measure,
    percentile,
)
from ansible_collections.drydock.ops.plugins.modules import failover_drill

WANT = {"clients": 2, "warm_seconds": 0, "timeout": 2, "outage_limit": 10}


class Store:
    """A primary that is away for some writes when it fails over, and may forget."""

    kind, identifier = "database", "drydock-test"

    def __init__(self, *, moves: bool = True, forgets: bool = False, problems: Any = ()):
        self.moves, self.forgets, self.problems = moves, forgets, list(problems)
        self.kept: set[int] = set()
        self.zone, self.away, self.log = "a", 0, []
        self.lock = threading.Lock()

    def readiness(self) -> tuple[list[str], dict[str, Any]]:
        return self.problems, {"standby_zone": "b"}

    def place(self) -> str:
        return self.zone

    def prepare(self) -> None:
        self.log.append("prepare")

    def writer(self) -> Store:
        return self

    def write(self, number: int) -> bool:
        with self.lock:
            if self.away:
                self.away -= 1
                raise ConnectionError("the server is away")
            self.kept.add(number)
        return True

    def close(self) -> None:
        pass

    def trigger(self) -> None:
        self.log.append("trigger")
        with self.lock:
            self.away = 3
            if self.forgets:
                self.kept.discard(max(self.kept))
        if self.moves:
            self.zone = "b"

    def settled(self, before: str) -> bool:
        return self.zone != before and not self.away

    def lost(self, numbers: Any) -> list[int]:
        return sorted(set(numbers) - self.kept)

    def clean(self) -> None:
        self.log.append("clean")


class Steps:
    """A journal that only remembers."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def begin(self, step: str, undo_calls: Any, *, keep: bool = False) -> None:
        assert undo_calls is None and keep
        self.steps.append(f"begin {step}")

    def done(self, step: str) -> None:
        self.steps.append(f"done {step}")


def run(store: Store) -> tuple[dict[str, Any], Steps]:
    journal = Steps()
    return failover_drill.drill(store, WANT, journal), journal


def test_a_failover_is_measured_and_nothing_is_lost():
    store = Store()
    result, journal = run(store)
    measured = result["measured"]
    assert result["fault"] == "" and measured["lost"] == []
    assert (measured["from"], measured["to"]) == ("a", "b")
    # Two clients, three refusals, a tenth of a second between two tries.
    assert 0.05 < measured["outage_seconds"] < 2
    assert measured["failures"] == {"ConnectionError": 3}
    assert store.log == ["prepare", "trigger", "clean"]
    assert [step.split()[0] for step in journal.steps] == ["begin", "done"]


def test_a_lost_write_fails_the_drill_and_is_named():
    result, _ = run(Store(forgets=True))
    [lost] = result["measured"]["lost"]
    assert "1 acknowledged writes are lost" in result["fault"] and str(lost) in result["fault"]


def test_a_primary_that_stays_fails_the_drill():
    store = Store(moves=False)
    result, _ = run(store)
    assert "has not moved" in result["fault"] and store.log[-1] == "clean"


def test_what_is_not_ready_is_refused_untouched():
    store = Store(problems=["its synchronous standby is not in sync"])
    with pytest.raises(failover.NotReady, match="not in sync"):
        run(store)
    assert store.log == []


def test_without_an_acknowledged_write_no_failover_is_started(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(failover_drill, "FIRST_WRITE_SECONDS", 0.3)
    store = Store()
    store.away = 10**6
    with pytest.raises(failover.NotReady, match="no failover was started"):
        run(store)
    assert store.log == ["prepare", "clean"]


def test_an_interrupted_drill_cleans_up(monkeypatch: pytest.MonkeyPatch):
    store = Store()

    def trigger() -> None:
        raise failover_drill.Interrupted("SIGTERM")

    monkeypatch.setattr(store, "trigger", trigger)
    with pytest.raises(failover_drill.Interrupted):
        run(store)
    assert store.log == ["prepare", "clean"]


def test_an_outage_longer_than_allowed_fails_the_drill():
    measured = {"lost": [], "outage_seconds": 200.0}
    fault = failover_drill.judge(Store(), measured, True, {**WANT, "outage_limit": 180})
    assert "longer than the 180 s" in fault


def test_check_looks_and_plans():
    store = Store()
    seen = failover_drill.look(store)
    assert seen["ready"] and not seen["changed"] and store.log == []
    assert "RebootDBInstance" in seen["plan"][1]


# --- measuring ---------------------------------------------------------------------


def acks(*times: float, safe: bool = True) -> list[Ack]:
    return [Ack(n, got - 0.01, got, safe) for n, got in enumerate(times)]


def test_the_outage_is_the_longest_gap_after_the_trigger():
    found = measure(acks(1.0, 4.0, 4.1, 5.0, 12.5, 12.6), 5.2)
    assert found["outage_seconds"] == 7.5
    assert (found["before"]["writes"], found["after"]["writes"]) == (4, 2)
    assert found["before"]["p50_ms"] == pytest.approx(10.0)


def test_a_gap_before_the_trigger_is_no_outage():
    assert measure(acks(1.0, 9.0, 9.5, 9.8), 9.1)["outage_seconds"] == 0.5


def test_nothing_after_the_trigger_is_no_figure():
    assert measure(acks(1.0, 2.0), 3.0)["outage_seconds"] is None
    assert measure([], 3.0)["outage_seconds"] is None


def test_answers_that_no_replica_has_count_for_serving_but_not_for_good():
    found = measure(acks(1.0, 2.0) + acks(3.0, safe=False) + acks(9.0), 2.5)
    assert (found["outage_seconds"], found["unsafe_seconds"]) == (6.0, 7.0)
    assert (found["writes"], found["safe"]) == (4, 3)


def test_percentiles_and_curve():
    assert percentile(range(100), 0.99) == 99 and percentile([], 0.5) == 0
    assert [row["writes"] for row in curve(acks(0.1, 0.2, 2.5), 0.0, 2.9)] == [2, 0, 1]


def test_the_load_survives_a_server_that_is_away():
    store = Store()
    store.away = 2
    load = WriteLoad(store.writer, clients=1, pause=0)
    load.start()
    while not load.acknowledged():
        pass
    load.stop()
    assert {ack.number for ack in load.acknowledged()} == store.kept
    assert load.failures == {"ConnectionError": 2}


# --- readiness ---------------------------------------------------------------------


def group(**changed: Any) -> dict[str, Any]:
    members = [
        {"CacheClusterId": "c-001", "CurrentRole": "primary"},
        {"CacheClusterId": "c-002", "CurrentRole": "replica"},
    ]
    return {
        "Status": "available",
        "AutomaticFailover": "enabled",
        "NodeGroups": [{"NodeGroupId": "0001", "NodeGroupMembers": members}],
        **changed,
    }


ONLINE = {"ip": "10.0.0.2", "state": "online", "lag": 0}


@pytest.mark.parametrize(
    ("changed", "replicas", "why"),
    [
        ({}, [ONLINE], ""),
        ({"Status": "modifying"}, [ONLINE], "modifying"),
        ({"AutomaticFailover": "disabled"}, [ONLINE], "automatic failover is disabled"),
        ({}, [], "0 of 1 replicas"),
        ({}, [{**ONLINE, "state": "wait_bgsave"}], "0 of 1 replicas"),
        ({}, [{**ONLINE, "lag": 60}], "60 s behind"),
    ],
)
def test_a_cache_is_ready_or_says_why_not(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], replicas: list[Any], why: str
):
    cache = failover.CacheTarget("drydock-test", "us-east-1", "r")
    monkeypatch.setattr(cache, "describe", lambda: group(**changed))
    monkeypatch.setattr(cache, "_replication", lambda: {"role": "master", "replicas": replicas})
    problems, _ = cache.readiness()
    assert (why in "; ".join(problems)) if why else problems == []


SYNC = {"name": "b", "state": "streaming", "sync_state": "sync", "lag_seconds": 0.0}


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"awaits_standby": False, "standbys": []}, ""),
        ({"awaits_standby": True, "standbys": [SYNC]}, ""),
        ({"awaits_standby": True, "standbys": []}, "not in sync"),
        ({"awaits_standby": True, "standbys": [{**SYNC, "sync_state": "async"}]}, "not in sync"),
        ({"awaits_standby": True, "standbys": [{**SYNC, "state": "catchup"}]}, "not in sync"),
        ({"awaits_standby": False, "standbys": [{**SYNC, "lag_seconds": 9.0}]}, "9.0 s behind"),
        ({"recovering": True, "awaits_standby": False, "standbys": []}, "in recovery"),
    ],
)
def test_what_the_server_says_of_its_standby(told: dict[str, Any], why: str):
    problems = failover._replication_problems({"recovering": False, **told})
    assert (why in "; ".join(problems)) if why else problems == []


@pytest.mark.parametrize(
    ("changed", "why"),
    [({"MultiAZ": False}, "Multi-AZ is off"), ({"AllocatedStorage": 20}, "no way in")],
)
def test_a_database_that_is_not_ready_says_why(aws: Any, changed: dict[str, Any], why: str):
    aws("rds").create_db_instance(
        **{
            "DBInstanceIdentifier": "drydock-test",
            "Engine": "postgres",
            "DBInstanceClass": "db.t4g.micro",
            "MasterUsername": "captain",
            "MasterUserPassword": "not-managed",
            "MultiAZ": True,
            **changed,
        }
    )
    problems, facts = failover.DatabaseTarget("drydock-test", "us-east-1", "r").readiness()
    assert why in "; ".join(problems) and facts["status"] == "available"
