"""Metric math and the rules of composite alarms."""

import pytest

from drydock.controllers.cloudwatch import expressions, rules
from drydock.controllers.cloudwatch.expressions import Line
from drydock.controllers.cloudwatch.queries import Resolver, check
from drydock.controllers.cloudwatch.store import Metric, MetricStore
from drydock.errors import ApiError


def line(points: dict[int, float], period: int = 60) -> Line:
    return Line(period, points, measured=True)


LINES = {
    "a": line({0: 1, 60: 2, 180: 4}),
    "b": line({0: 10, 60: 0, 120: 30, 180: -40}),
    "long": line({0: 100}, 120),
}


def compute(text: str):
    def grid(period: int) -> list[int]:
        return list(range(0, 240, period))

    made = expressions.evaluate(text, expressions.parse(text), LINES, grid)
    return dict(made.points) if isinstance(made, Line) else made


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + b", {0: 11, 60: 2, 180: -36}),
        ("-a * 2", {0: -2, 60: -4, 180: -8}),
        ("2 ^ a", {0: 2, 60: 4, 180: 16}),
        ("-2 ^ 2 + a", {0: -3, 60: -2, 180: 0}),
        ("a / b", {0: 0.1, 180: -0.1}),  # nothing where it would be divided by zero
        ("(b - a) / (a + 1)", {0: 4.5, 60: -2 / 3, 180: -8.8}),
        ("b > 5", {0: 1, 60: 0, 120: 1, 180: 0}),
        ("b != 0 AND b < 20", {0: 1, 60: 0, 120: 0, 180: 1}),
        ("b >= 30 || b == 0", {0: 0, 60: 1, 120: 1, 180: 0}),
        ("ABS(b)", {0: 10, 60: 0, 120: 30, 180: 40}),
        ("CEIL(b / 4)", {0: 3, 60: 0, 120: 8, 180: -10}),
        ("FILL(a, 0)", {0: 1, 60: 2, 120: 0, 180: 4}),
        ("FILL(a, REPEAT)", {0: 1, 60: 2, 120: 2, 180: 4}),
        ("FILL(a, b)", {0: 1, 60: 2, 120: 30, 180: 4}),
        ("IF(b > 5, a, 7)", {0: 1, 60: 7, 180: 7}),
        ("IF(b > 5, b)", {0: 10, 120: 30}),
        ("SUM([a, b])", {0: 11, 60: 2, 120: 30, 180: -36}),
        ("AVG([a, b])", {0: 5.5, 60: 1, 120: 30, 180: -18}),
        ("MIN([a, b])", {0: 1, 60: 0, 120: 30, 180: -40}),
        ("MAX([a, b]) - a", {0: 9, 60: 0, 180: 0}),
        ("SUM(METRICS()) - long", {0: 11}),
        ("a - AVG(b)", {0: 1, 60: 2, 180: 4}),
        ("MAX(b)", 30),
        ("SUM(a) / METRIC_COUNT([a, b])", 3.5),
        ("RATE(a)", {60: 1 / 60, 180: 2 / 120}),
        ("DIFF(b)", {60: -10, 120: 30, 180: -70}),
        ("a / PERIOD(a)", {0: 1 / 60, 60: 2 / 60, 180: 4 / 60}),
        ("a + long", {0: 101}),
        ("TIME_SERIES(3)", {0: 3, 120: 3}),
        ("FIRST([a, b])", {0: 1, 60: 2, 180: 4}),
    ],
)
def test_math(text, expected):
    assert compute(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("a +", "can't be read"),
        ("a + nobody", "nobody"),
        ("SEARCH('x', 'Sum')", "SEARCH"),
        ("a.b", "a.b"),
        ("a[0]", "metric math"),
        ("lambda: a", "metric math"),
        ("__import__('os')", "__import__"),
        ("a < b < 3", "metric math"),
        ("FILL(3, 0)", "time series"),
        ("FILL(a)", "FILL|argument"),
        ("SUM([])", "list"),
    ],
)
def test_what_cannot_be_computed_is_refused_by_name(text, word):
    with pytest.raises(ApiError, match=word) as refused:
        compute(text)
    assert refused.value.code == "ValidationError"
    assert text in refused.value.message


def stat(name: str) -> dict:
    metric = {"Namespace": "N", "MetricName": name}
    return {"Id": name, "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}


def test_expressions_may_stand_on_expressions_but_not_in_a_circle():
    store = MetricStore()
    store.put("r", Metric("N", "m", ()), "None", 0, [(5, 1)])
    resolver = Resolver(store, "r", lambda period: period, lambda length: [0])
    found = resolver.all(
        [{"Id": "z", "Expression": "y + 1"}, {"Id": "y", "Expression": "m * 2"}, stat("m")]
    )
    assert found["z"].points == {0: 11}
    with pytest.raises(ApiError, match="circle"):
        resolver.all([{"Id": "z", "Expression": "y + 1"}, {"Id": "y", "Expression": "z * 2"}])


@pytest.mark.parametrize(
    ("queries", "word"),
    [
        ([{"Id": "e", "Expression": "x / 2"}], "x"),
        ([stat("m"), stat("m")], "unique"),
        ([{"Id": "Big", "Expression": "1"}], "Big"),
        ([{"Id": "e"}], "either"),
    ],
)
def test_queries_that_can_never_be_answered_are_refused(queries, word):
    with pytest.raises(ApiError, match=word):
        check(queries)


STATES = {"red": "ALARM", "green": "OK", "new": "INSUFFICIENT_DATA", "with space": "ALARM"}


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ("ALARM(red)", True),
        ('ALARM("green")', False),
        ("OK(green) AND INSUFFICIENT_DATA(new)", True),
        ("NOT ALARM(green)", True),
        ("ALARM(green) OR ALARM(red) AND OK(green)", True),
        ("(ALARM(green) OR ALARM(red)) AND NOT OK(green)", False),
        ("ALARM(arn:aws:cloudwatch:us-east-1:123456789012:alarm:red)", True),
        ("ALARM('with space')\n AND TRUE", True),
        ("FALSE OR ALARM(gone)", False),
    ],
)
def test_rules(rule, holds):
    assert rules.parse(rule).holds(STATES) is holds


@pytest.mark.parametrize("rule", ["", "ALARM(a) AND", "RED(a)", "ALARM(a) + OK(b)", "x", "1"])
def test_rules_that_cannot_be_read_are_refused(rule):
    with pytest.raises(ApiError, match="AlarmRule"):
        rules.parse(rule)


def test_a_rule_knows_its_alarms():
    rule = rules.parse('ALARM("a-b") OR OK(c) OR ALARM(a-b)')
    assert rule.names == ["a-b", "c"]


@pytest.mark.parametrize(
    ("errors", "requests", "expected"),
    [
        (({60: 5}, {}), ({0: 10, 60: 10}, {}), {0: 0, 60: 50}),  # one of the groups is idle
        (({60: 5}, {60: 5}), ({0: 10, 60: 10}, {60: 10}), {0: 0, 60: 50}),  # both serve
        (({}, {}), ({}, {}), {}),  # nobody asks: no share, not one of nothing
    ],
)
def test_two_target_groups_are_one_workload(errors, requests, expected):
    text = "100 * FILL(SUM([e, f]), 0) / SUM([r, s])"  # the alarm <workload>-5xx
    lines = dict(zip("efrs", map(line, (*errors, *requests)), strict=True))
    made = expressions.evaluate(
        text, expressions.parse(text), lines, lambda period: list(range(0, 240, period))
    )
    assert made.points == expected
