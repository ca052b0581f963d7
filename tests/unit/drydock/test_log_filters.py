"""Filter patterns, and metrics made of log lines."""

import itertools
import json
import time

import pytest
from moto.backends import get_backend

from drydock.controllers.cloudwatch import log_metrics
from drydock.controllers.cloudwatch.store import Metric, MetricStore
from drydock.errors import ApiError
from drydock.log_patterns import compiled
from drydock.moto import logs, patches
from drydock.moto.api import Context
from drydock.settings import ACCOUNT_ID

REGION = "us-east-1"
numbers = itertools.count()


@pytest.fixture(scope="module", autouse=True)
def patched():
    patches.apply()


@pytest.mark.parametrize(
    ("pattern", "message", "matches"),
    [
        ("", "anything", True),
        ("ERROR", "[ERROR 400] BAD", True),
        ("ERROR", "[error] bad", False),
        ("ERROR Exception", "ERROR: an Exception", True),
        ("ERROR Exception", "ERROR only", False),
        ("?ERROR ?WARN", "WARN: low", True),
        ("?ERROR ?WARN", "INFO: fine", False),
        ("ERROR -EXIT", "ERROR: started", True),
        ("ERROR -EXIT", "ERROR: EXIT 1", False),
        ('"internal server error"', "an internal server error", True),
        ('"say \\"no\\""', 'they say "no"', True),
        ("%5[0-9]{2}%", "status 503", True),
        ("%5[0-9]{2}%", "status 404", False),
    ],
)
def test_terms(pattern, message, matches):
    assert (compiled(pattern).match(message) is not None) is matches


EVENT = {
    "level": "error",
    "status": 503,
    "ms": 12.5,
    "path": "/orders/17",
    "user": {"id": 1, "roles": ["admin", "ops"]},
    "ok": False,
    "note": None,
    "code": "404",
    "a.b": "dotted",
}


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ('{ $.level = "error" && $.status >= 500 }', True),
        ('{ $.level = "error" && $.status < 500 }', False),
        ('{ ($.level = "warn") || ($.status = 503) }', True),
        ('{ $.level = "info" || $.level = "error" && $.status = 200 }', False),
        ('{ ($.level = "error" || $.level = "info") && $.status = 503 }', True),
        ("{ $.path = /orders/* }", True),
        ('{ $.path = "*17" }', True),
        ('{ $.path != "/orders/*" }', False),
        ("{ $.path = %^/orders/[0-9]+$% }", True),
        ("{ $.user.id = 1 }", True),
        ('{ $.user.roles[1] = "ops" }', True),
        ('{ $.user.roles[2] = "ops" }', False),
        ('{ $.user.roles[*] = "admin" }', True),
        ('{ $.["a.b"] = dotted }', False),
        ('{ $["a.b"] = dotted }', True),
        ("{ $.note IS NULL }", True),
        ("{ $.level IS NULL }", False),
        ("{ $.ok IS FALSE }", True),
        ("{ $.ok IS TRUE }", False),
        ("{ $.missing NOT EXISTS }", True),
        ("{ $.level NOT EXISTS }", False),
        ("{ $.missing != 3 }", False),
        ("{ $.status != 200 }", True),
        ("{ $.ms > 1.25e1 }", False),
        ("{ $.ms = * }", True),
        ("{ $.missing = * }", False),
        ("{ $.code = 404 }", True),
        ("{ $.level > 5 }", False),
    ],
)
def test_json(pattern, matches):
    try:
        found = compiled(pattern).match(json.dumps(EVENT))
    except ApiError:
        found = None
    assert (found is not None) is matches


def test_json_patterns_match_no_plain_text():
    assert compiled("{ $.level = * }").match("level error") is None
    assert compiled("{ $.level = * }").match("{ broken") is None


LINE = '127.0.0.1 - frank [10/Oct/2026:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("[ip, id, user, time, request, status, bytes]", True),
        ("[ip, id, user, time, request, status]", False),
        ("[ip, id, user, time, request, status = 404, bytes]", True),
        ("[ip, id, user, time, request = *html*, status = 4*, bytes > 1000]", True),
        ("[ip, id, user, time, request, status = 4*, bytes > 2000]", False),
        ("[..., status = 404, bytes]", True),
        ("[..., status = 5*, bytes]", False),
        ("[ip = 127.0.0.1, ...]", True),
        ('[..., status != "404", bytes]', False),
        ("[..., status = 404 || status = 500, bytes]", True),
        ("[..., request = %GET .*html%, status, bytes]", True),
        ("[ip, ..., bytes > 2000 || bytes < 10]", False),
    ],
)
def test_fields_between_spaces(pattern, matches):
    assert (compiled(pattern).match(LINE) is not None) is matches


def test_extracted_values():
    pattern = compiled("[ip, ..., status = 4*, bytes]")
    assert pattern.match(LINE) == {"$ip": "127.0.0.1", "$status": "404", "$bytes": "1534"}
    pattern = compiled("{ $.status >= 500 && $.user.id = * }")
    assert pattern.match(json.dumps(EVENT)) == {"$.status": "503", "$.user.id": "1"}


@pytest.mark.parametrize(
    "pattern",
    ["{ $.a = 1", "[a, b", "{ a = 1 }", "{ $.a }", "{ $.a > x }", "{ ($.a = 1 }", "foo-bar",
     "%(%", "{ $.a IS 3 }", "{ $.a = 1 $.b = 2 }", "[..., a, ...]"],
)  # fmt: skip
def test_patterns_that_cannot_be_read_are_refused(pattern):
    with pytest.raises(ApiError) as refused:
        compiled(pattern)
    assert refused.value.code == "InvalidParameterException"


@pytest.fixture
def group():
    name = f"/tests/{next(numbers)}"
    logs.create_group(REGION, name)
    logs.create_stream(REGION, name, "s")
    logs.take_heard()
    return name


def put_filter(group: str, pattern: str, **transformation) -> None:
    made = {"metricName": "Errors", "metricNamespace": "T", "metricValue": "1", **transformation}
    given = {
        "logGroupName": group,
        "filterName": "f",
        "filterPattern": pattern,
        "metricTransformations": [made],
    }
    patches.operations()[("logs", "PutMetricFilter")](Context(REGION), given)


def totals(store: MetricStore, name: str, **dimensions: str) -> list[tuple[float, float]]:
    now = int(time.time())
    metric = Metric("T", name, tuple(sorted(dimensions.items())))
    [found] = store.windows(REGION, metric, [now - 60], 120, None)
    return (found.count, found.total) if found else None


def say(group: str, *lines: object) -> MetricStore:
    now = int(time.time() * 1000)
    texts = [one if isinstance(one, str) else json.dumps(one) for one in lines]
    logs.put(REGION, group, "s", [(now, text) for text in texts])
    store = MetricStore()
    log_metrics.read(store, logs.take_heard())
    return store


def test_a_metric_filter_counts(group):
    put_filter(group, '{ $.level = "error" }')
    store = say(group, {"level": "error"}, {"level": "info"}, "text", {"level": "error"})
    assert totals(store, "Errors") == (2, 2)


def test_a_metric_filter_takes_a_field_and_dimensions(group):
    put_filter(group, "{ $.ms = * }", metricValue="$.ms", dimensions={"Path": "$.path"})
    store = say(group, {"ms": 5, "path": "/a"}, {"ms": 7, "path": "/a"}, {"ms": 1, "path": "/b"},
                {"ms": "slow", "path": "/a"}, {"ms": 3})  # fmt: skip
    assert totals(store, "Errors", Path="/a") == (2, 12)
    assert totals(store, "Errors", Path="/b") == (1, 1)
    assert totals(store, "Errors") is None


def test_a_field_between_spaces_is_a_value(group):
    put_filter(group, "[..., status = 4*, bytes]", metricValue="$bytes")
    assert totals(say(group, LINE), "Errors") == (1, 1534)


def test_a_default_value_where_nothing_matches(group):
    put_filter(group, "ERROR", defaultValue=0.0)
    assert totals(say(group, "fine", "fine"), "Errors") == (1, 0)
    assert totals(say(group, "ERROR", "fine"), "Errors") == (1, 1)


def test_a_metric_filter_is_replaced_counted_and_goes_with_its_group(group):
    put_filter(group, "ERROR")
    put_filter(group, "WARN")
    backend = get_backend("logs")[ACCOUNT_ID][REGION]
    assert [one["filterPattern"] for one in logs.metric_filters(REGION, group)] == ["WARN"]
    assert backend.groups[group].to_describe_dict()["metricFilterCount"] == 1
    backend.delete_log_group(group)
    assert logs.metric_filters(REGION, group) == []


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"metricValue": "many"}, "many"),
        ({"dimensions": {"a": "$.a"}, "defaultValue": 0.0}, "defaultValue"),
    ],
)
def test_bad_metric_filters_are_refused(group, more, word):
    with pytest.raises(ApiError, match=word):
        put_filter(group, "", **more)


def test_embedded_metric_format(group):
    line = {
        "_aws": {
            "Timestamp": int(time.time() * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": "T",
                    "Dimensions": [["Service"], ["Service", "Path"]],
                    "Metrics": [{"Name": "Latency", "Unit": "Milliseconds"}, {"Name": "Gone"}],
                }
            ],
        },
        "Service": "api",
        "Path": "/a",
        "Latency": [10, 20, 30],
    }
    store = say(group, line, '{"CloudWatchMetrics": "of no form"}', "plain")
    assert totals(store, "Latency", Service="api") == (3, 60)
    assert totals(store, "Latency", Service="api", Path="/a") == (3, 60)
    assert [one.name for one in store.metrics(REGION)] == ["Latency", "Latency"]


def test_test_metric_filter():
    found = patches.operations()[("logs", "TestMetricFilter")](
        Context(REGION),
        {
            "filterPattern": "{ $.status >= 500 }",
            "logEventMessages": ['{"status": 200}', '{"status": 502}'],
        },
    )
    assert found["matches"] == [
        {
            "eventNumber": 2,
            "eventMessage": '{"status": 502}',
            "extractedValues": {"$.status": "502"},
        }
    ]


def test_events_are_filtered(group):
    say(group, {"status": 200}, {"status": 502})
    backend = get_backend("logs")[ACCOUNT_ID][REGION]
    found, _, _ = backend.filter_log_events(
        group, [], 0, int(time.time() * 1000) + 1000, None, None, "{ $.status >= 500 }", False
    )
    assert [one["message"] for one in found] == ['{"status": 502}']


def test_a_heavy_service_is_not_slowed_down(group):
    """The hook itself: 20,000 lines and more a second, whether a filter is there or not."""
    rows = [{"timestamp": 1, "message": '{"level": "info", "n": 1}' * 4} for _ in range(20_000)]
    for filtered in (False, True):
        if filtered:
            put_filter(group, '{ $.level = "error" }')
        started = time.perf_counter()
        logs.heard(REGION, group, rows)
        assert time.perf_counter() - started < 0.5
