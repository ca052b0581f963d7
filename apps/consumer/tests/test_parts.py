"""What needs no process: events, effects, who takes which lease, settings."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from conftest import event

from consumer import logs, settings
from consumer.balance import Watch, wanted
from consumer.effects import compute_units
from consumer.envelope import Poison, Record, read, trace_of
from consumer.leases import END, Lease
from consumer.metrics import Metrics

TYPES = frozenset({"logs", "slot"})


def record(found: dict | bytes, key: str = "a") -> Record:
    data = found if isinstance(found, bytes) else json.dumps(found).encode()
    return Record("shardId-0", "1", key, data)


def test_an_event_is_read():
    found = read(record(event(7)), TYPES)
    assert (found.id, found.slot) == ("a-7", 7)
    assert found.trace["trace_id"] in found.traceparent
    assert found.trace["span_id"] != found.trace["parent_id"]


@pytest.mark.parametrize(
    "given",
    [
        b"{",
        b"[]",
        b"null",
        b"[" * 100_000,
        b"\xff",
        {"traceparent": 7},
        {"traceparent": "00-a-b-01"},
    ],
)
def test_what_names_no_trace_has_none(given: dict | bytes):
    assert trace_of(record(given)) == {}


def test_a_poisoned_record_has_its_trace():
    poison = event(1, slot=-1)
    assert trace_of(record(poison))["trace_id"] == poison["traceparent"].split("-")[1]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (b"{", "the record: Invalid JSON"),
        (event(1, schema_version=2), "schema_version"),
        (event(1, slot=-1), "slot"),
        (event(1, id="a\0b"), "id"),
        (event(1, time="2026-01-01T00:00:00"), "time"),
        (event(1, type="swap"), "unknown type 'swap'"),
        (event(1, key="b"), "partition key"),
    ],
)
def test_what_is_no_event_says_why(given: dict | bytes, reason: str):
    with pytest.raises(Poison, match=reason):
        read(record(given), TYPES)


def test_only_outermost_calls_count():
    logs = [
        "Program A invoke [1]",
        "Program B invoke [2]",
        "Program B consumed 30 of 190 compute units",
        "Program B success",
        "Program A consumed 100 of 200 compute units",
        "Program A success",
        "Program C invoke [1]",
        "Program C consumed 7 of 100 compute units",
        "Program C failed: custom program error: 0x1",
    ]
    assert compute_units(logs) == 107
    assert compute_units(None) == 0
    with pytest.raises(Poison):
        compute_units("no list")


def leases(*owners: str | None, **more: Lease) -> dict[str, Lease]:
    found = {f"s{n}": Lease(f"s{n}", owner, 1, 1, "5") for n, owner in enumerate(owners)}
    return {**found, **more}


def names(found: list[Lease]) -> list[str]:
    return [lease.shard for lease in found]


def test_the_first_worker_takes_all():
    given = leases(None, None, None)
    assert names(wanted(given, set(given), "me", set())) == ["s0", "s1", "s2"]


def test_a_newcomer_takes_one_at_a_time_until_it_is_even():
    given = leases("x", "x", "x", "x")
    assert names(wanted(given, set(), "me", set())) == ["s0"]
    given = leases("me", "x", "x", "x")
    assert names(wanted(given, set(), "me", {"s0"})) == ["s1"]
    given = leases("me", "me", "x", "x")
    assert wanted(given, set(), "me", {"s0", "s1"}) == []


def test_an_odd_one_is_not_passed_to_and_fro():
    given = leases("x", "x", "me")
    assert wanted(given, set(), "me", {"s2"}) == []


def test_what_the_dead_had_is_shared_by_the_living():
    given = leases("me", "x", "dead", "dead")
    assert names(wanted(given, {"s2", "s3"}, "me", {"s0"})) == ["s2"]


def test_a_child_waits_for_its_parents():
    child = Lease("s9", None, 0, 0, "TRIM_HORIZON", ("s0", "s1"))
    given = leases("x", "x", s9=child)
    assert wanted(given, {"s9"}, "me", {"other"}) == []
    ended = {name: Lease(name, "x", 1, 1, END) for name in ("s0", "s1")}
    assert names(wanted({**ended, "s9": child}, {"s9"}, "me", set())) == ["s9"]
    # Parents whose records the stream has forgotten have no lease.
    assert names(wanted({"s9": child}, {"s9"}, "me", set())) == ["s9"]


def test_silence_is_measured_by_the_own_clock():
    now = [100.0]
    watch = Watch(10, lambda: now[0])
    assert watch.silent(leases("x", None)) == {"s1"}
    now[0] = 109.9
    assert watch.silent(leases("x", None)) == {"s1"}
    now[0] = 110.1
    assert watch.silent(leases("x", None)) == {"s0", "s1"}
    alive = {"s0": Lease("s0", "x", 2, 1, "5")}
    assert watch.silent(alive) == set()


@pytest.fixture
def own_logging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the test configures of logging ends with it."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    yield
    structlog.reset_defaults()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """The metrics' clock: `now` in seconds."""
    told = {"now": 100.0}
    monkeypatch.setattr("consumer.metrics.time.monotonic", lambda: told["now"])
    return told


def told(capsys: pytest.CaptureFixture[str]) -> dict[str | None, dict]:
    """The newest lines of metrics by shard; None is the service itself."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return {line.get("Shard"): line for line in lines}


def test_a_reader_that_gets_no_further_falls_behind(
    own_logging: None, capsys: pytest.CaptureFixture[str], clock: dict[str, float]
):
    logs.configure("info", "r1")
    metrics = Metrics("consumer")
    metrics.of("s0").read(40, 1)
    metrics.of("s1")  # of which nothing was heard yet
    clock["now"] += 3
    metrics.flush()
    lines = told(capsys)
    assert lines["s0"]["MillisBehindLatest"] == 3040
    assert lines["s1"]["MillisBehindLatest"] == 3000
    assert lines[None]["MillisBehindLatest"] == 3040
    clock["now"] += 2
    metrics.of("s0").read(0, 0)
    metrics.flush()
    lines = told(capsys)
    assert lines["s0"]["MillisBehindLatest"] == 0
    assert lines[None]["MillisBehindLatest"] == 5000


def test_who_holds_no_lease_tells_no_lag(
    own_logging: None, capsys: pytest.CaptureFixture[str], clock: dict[str, float]
):
    logs.configure("info", "r1")
    metrics = Metrics("consumer")
    metrics.flush()
    assert "MillisBehindLatest" not in told(capsys)[None]
    metrics.of("s0").read(40, 1)
    metrics.flush(held=False)
    lines = told(capsys)
    assert "MillisBehindLatest" not in lines["s0"] | lines[None]
    assert lines[None]["Shards"] == 0
    metrics.flush(held=True)
    assert told(capsys)[None]["Shards"] == 1


def test_metrics_name_each_shard_and_the_sum(
    own_logging: None, capsys: pytest.CaptureFixture[str], clock: dict[str, float]
):
    logs.configure("info", "r1", ["hunter2"])
    metrics = Metrics("consumer")
    metrics.of("s0").applied = 3
    metrics.of("s0").behind_ms = 50
    metrics.of("s1").rejected = 1
    metrics.of("s1").behind_ms = 700
    metrics.flush()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    by_shard = {line.get("Shard"): line for line in lines}
    assert by_shard["s0"]["Applied"] == 3
    assert by_shard[None]["MillisBehindLatest"] == 700
    assert by_shard[None]["ErrorRate"] == 25
    directive = by_shard["s0"]["_aws"]["CloudWatchMetrics"][0]
    assert directive["Dimensions"] == [["Service", "Shard"]]
    logs.get().info("x", password="hunter2")
    assert "hunter2" not in capsys.readouterr().out


def test_wrong_settings_have_a_sentence_each(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LEASE_SECONDS", "0")
    monkeypatch.setenv("EVENT_TYPES", "logs, swap")
    with pytest.raises(settings.ConfigurationError) as error:
        settings.load()
    assert "STREAM_NAME is not set. Name the stream of events." in str(error.value)
    assert "LEASE_SECONDS=0 can't be used" in str(error.value)
    assert "EVENT_TYPES" not in str(error.value)
