"""Alarm states from datapoints: the tables of CloudWatch's documentation, and its words."""

import json

import pytest

from drydock.controllers.cloudwatch import evaluation
from drydock.controllers.cloudwatch.evaluation import Point

NOW = 1_700_000_100
KEEP = None
ALARM, OK, UNKNOWN = "ALARM", "OK", "INSUFFICIENT_DATA"


def alarm(needed: int | None, periods: int = 3, missing: str = "missing", **more) -> dict:
    given = {
        "AlarmName": "a",
        "Namespace": "N",
        "MetricName": "m",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": periods,
        "Threshold": 5.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": missing,
        **more,
    }
    return given if needed is None else {**given, "DatapointsToAlarm": needed}


def judge(given: dict, pattern: str):
    """``pattern``: oldest first, 0 within the threshold, X beyond it, - missing."""
    signs = pattern.split()
    starts = [NOW - NOW % 60 - 60 * back for back in range(len(signs), 0, -1)]
    points = [
        None if sign == "-" else Point(at, {"0": 1.0, "X": 9.0}[sign], 1)
        for at, sign in zip(starts, signs, strict=True)
    ]
    return evaluation.evaluate(given, points, starts, NOW)


# "Configuring how CloudWatch alarms treat missing data": both tables, row by row.
TABLES = [
    # pattern, DatapointsToAlarm, missing, ignore, breaching, notBreaching
    ("0 - X - X", 3, OK, OK, OK, OK),
    ("- - - - 0", 3, OK, OK, OK, OK),
    ("- - - - -", 3, UNKNOWN, KEEP, ALARM, OK),
    ("0 X X - X", 3, ALARM, ALARM, ALARM, ALARM),
    ("- - X - -", 3, ALARM, KEEP, ALARM, OK),
    ("0 - X - X", 2, ALARM, ALARM, ALARM, ALARM),
    ("0 0 X 0 X", 2, ALARM, ALARM, ALARM, ALARM),
    ("0 - X - -", 2, OK, OK, ALARM, OK),
    ("- - - - 0", 2, OK, OK, ALARM, OK),
    ("- - - X -", 2, ALARM, KEEP, ALARM, OK),
]


@pytest.mark.parametrize(("pattern", "needed", "missing", "ignore", "breaching", "not_"), TABLES)
def test_the_tables_of_missing_data(pattern, needed, missing, ignore, breaching, not_):
    expected = {
        "missing": missing,
        "ignore": ignore,
        "breaching": breaching,
        "notBreaching": not_,
    }
    for treatment, state in expected.items():
        found = judge(alarm(needed, missing=treatment), pattern)
        assert (found and found.state) == state, treatment


@pytest.mark.parametrize("pattern", ["- - - - X", "- - - X -"])
def test_an_alarm_waits_for_the_next_datapoint(pattern):
    assert judge(alarm(3), pattern).state == OK


def test_dynamodb_ignores_missing_data_whatever_was_asked():
    given = alarm(3, missing="breaching", Namespace="AWS/DynamoDB")
    assert judge(given, "- - - - -") is KEEP


@pytest.mark.parametrize(
    ("comparison", "at_threshold", "above", "below"),
    [
        ("GreaterThanThreshold", OK, ALARM, OK),
        ("GreaterThanOrEqualToThreshold", ALARM, ALARM, OK),
        ("LessThanThreshold", OK, OK, ALARM),
        ("LessThanOrEqualToThreshold", ALARM, OK, ALARM),
    ],
)
def test_comparisons(comparison, at_threshold, above, below):
    given = alarm(None, periods=1, ComparisonOperator=comparison)
    for value, state in ((5.0, at_threshold), (5.1, above), (4.9, below)):
        found = evaluation.evaluate(given, [Point(NOW, value)], [NOW], NOW)
        assert found.state == state


@pytest.mark.parametrize(
    ("given", "pattern", "reason"),
    [
        (
            alarm(2, 3),
            "0 0 X 0 X",
            "Threshold Crossed: 2 out of the last 3 datapoints [9.0 (14/11/23 22:14:00), "
            "9.0 (14/11/23 22:12:00)] were greater than the threshold (5.0) "
            "(minimum 2 datapoints for OK -> ALARM transition).",
        ),
        (
            alarm(2, 3),
            "0 0 X 0 0",
            "Threshold Crossed: 2 out of the last 3 datapoints [1.0 (14/11/23 22:14:00), "
            "1.0 (14/11/23 22:13:00)] were not greater than the threshold (5.0) "
            "(minimum 2 datapoints for ALARM -> OK transition).",
        ),
        (
            alarm(None, 1),
            "- - X",
            "Threshold Crossed: 1 datapoint [9.0 (14/11/23 22:14:00)] was greater than the "
            "threshold (5.0).",
        ),
        (
            alarm(None, 5),
            "X X X X X X X",
            "Threshold Crossed: 5 datapoints were greater than the threshold (5.0). The most "
            "recent datapoints which crossed the threshold: [9.0 (14/11/23 22:14:00), "
            "9.0 (14/11/23 22:13:00), 9.0 (14/11/23 22:12:00), 9.0 (14/11/23 22:11:00), "
            "9.0 (14/11/23 22:10:00)].",
        ),
        (
            alarm(None, 2, "breaching"),
            "- - - -",
            "Threshold Crossed: no datapoints were received for 2 periods and 2 missing "
            "datapoints were treated as [Breaching].",
        ),
        (
            alarm(None, 1, "notBreaching"),
            "- - -",
            "Threshold Crossed: no datapoints were received for 1 period and 1 missing "
            "datapoint was treated as [NonBreaching].",
        ),
        (
            alarm(1, 20, "notBreaching"),
            " ".join(["-"] * 21 + ["X"]),
            "Threshold Crossed: 1 out of the last 20 datapoints [9.0 (14/11/23 22:14:00)] was "
            "greater than the threshold (5.0) and 19 missing datapoints were treated as "
            "[NonBreaching] (minimum 1 datapoint for OK -> ALARM transition).",
        ),
        (alarm(None, 3), "- - - - -", "Insufficient Data: 3 datapoints were unknown."),
    ],
)
def test_reasons_are_in_the_words_of_aws(given, pattern, reason):
    assert judge(given, pattern).reason == reason


def test_the_reason_s_data():
    data = json.loads(judge(alarm(2, 3, "breaching"), "- - X - -").data)
    assert data == {
        "version": "1.0",
        "queryDate": "2023-11-14T22:15:00.000+0000",
        "startDate": "2023-11-14T22:12:00.000+0000",
        "statistic": "Sum",
        "period": 60,
        "recentDatapoints": [9.0],
        "threshold": 5.0,
        "evaluatedDatapoints": [
            {"timestamp": "2023-11-14T22:14:00.000+0000"},
            {"timestamp": "2023-11-14T22:13:00.000+0000"},
            {"timestamp": "2023-11-14T22:12:00.000+0000", "sampleCount": 1, "value": 9.0},
        ],
    }


@pytest.mark.parametrize(
    ("statistic", "values", "waits"),
    [("p99", 999, True), ("p99", 1000, False), ("p10", 99, True), ("p10", 100, False)],
)
def test_a_percentile_of_few_values_waits_when_asked_to(statistic, values, waits):
    given = {"ExtendedStatistic": statistic, "EvaluateLowSampleCountPercentile": "ignore"}
    assert evaluation.too_few(given, [Point(NOW, 9.0, values)]) is waits
    assert not evaluation.too_few({"ExtendedStatistic": statistic}, [Point(NOW, 9.0, 1)])
