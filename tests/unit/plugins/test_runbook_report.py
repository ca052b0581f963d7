"""The report shows what the evidence holds, needs nothing from elsewhere, and escapes all of it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.drydock.ops.plugins.module_utils import chart, curves, report
from ansible_collections.drydock.ops.plugins.module_utils.runs import moment

EVIL = "<script>alert('x')</script><img src=https://evil.example/x>"
RED, OPENED, GREEN = 1000.0, 1060.0, 1120.0


def curve(alarm: str, points: list[list[float]], **fields: Any) -> dict[str, Any]:
    return {
        "alarm": alarm,
        "label": "Errors",
        "about": "Service=hello",
        "main": True,
        "threshold": 5.0,
        "comparison": "GreaterThanThreshold",
        "period": 5,
        "points": points,
        **fields,
    }


def record(**fields: Any) -> dict[str, Any]:
    alarms = [
        {"name": "dev-5xx", "state": "ALARM", "since_epoch": RED, "reason": "above"},
        {"name": "dev-cpu", "state": "OK", "since_epoch": 1.0, "reason": "fine"},
    ]
    points = [[at, 40.0 if 985 <= at < 1100 else 0.5] for at in range(900, 1130, 5)]
    runbook = {
        "name": "high-5xx",
        "title": "Too many 5xx",
        "host": "hello",
        "opened": moment(OPENED),
        "closed": moment(GREEN + 5),
        "outcome": "mended",
        "alarms_before": alarms,
        "alarms_after": [{**alarms[0], "state": "OK", "reason": "below again"}],
        "actions": [{"at": moment(OPENED + 10), "what": "rolled back", "target": "hello:7"}],
        "decision": {"cause": "A bad deploy", "because": ["it is new"], "plan": [], "undo": []},
        "times": {
            "green": moment(GREEN),
            "red_seconds": 120.0,
            "recovery_seconds": 60.0,
            "ours_seconds": 20.0,
            "aws_clock_seconds": 40.0,
        },
        "metrics": [curve("dev-5xx", points), curve("dev-cpu", [[1000, 1.0]])],
        "steps": [{"step": "roll back", "state": "kept", "at": moment(OPENED + 10)}],
        "checks": ["test_x PASSED"],
        "inputs": {"share": 5},
        **fields,
    }
    return {
        "schema": 2,
        "playbook": "high-5xx.yml",
        "started": moment(OPENED),
        "check_mode": False,
        "failures": [],
        "other_runbooks": [{"host": "other", "outcome": "nothing to do"}],
        "runbook": runbook,
    }


def pictures(page: str) -> list[ET.Element]:
    found = re.findall(r"<svg.*?</svg>", page, re.S)
    return [ET.fromstring(one) for one in found]  # noqa: S314 (made here)


def test_the_page_says_what_happened_in_the_order_of_time() -> None:
    page = report.render(record())
    assert "Mended in <b>60.0 s</b>" in page
    assert "20.0 s ours" in page
    assert "40.0 s waiting for the alarm" in page
    for words in ("rolled back hello:7", "below again", "A bad deploy", "test_x PASSED", "other"):
        assert words in page
    tags = re.findall(r'<span class="tag (\w+)">', page)
    assert tags == ["fault", "red", "opened", "action", "green", "closed"]
    first, others = pictures(page)
    assert len(first.findall(".//polyline")) == 1
    assert len(first.findall(".//line[@class='threshold']")) == 1
    assert [mark.get("class") for mark in first.findall("g")] == [f"mark {tag}" for tag in tags]
    places = [float(mark.find("line").get("x1")) for mark in first.findall("g")]  # type: ignore[union-attr]
    assert places == sorted(places)
    assert len(others.findall(".//polyline")) == 0


def test_the_page_needs_nothing_from_elsewhere() -> None:
    page = report.render(record())
    assert "default-src 'none'" in page
    assert not re.search(r"<script|<link|<img|https?://|@import|url\(", page)


def test_everything_is_escaped() -> None:
    evil = record(
        name=EVIL,
        title=EVIL,
        host=EVIL,
        caller=EVIL,
        reason=EVIL,
        outcome=EVIL,
        actions=[{"at": moment(OPENED), "what": EVIL, "target": EVIL}],
        decision={"cause": EVIL, "because": [EVIL], "plan": [EVIL], "undo": [EVIL], "to": EVIL},
        facts=[{EVIL: EVIL}],
        undone=[{"at": moment(OPENED), "text": EVIL}],
        checks=[EVIL],
        inputs={EVIL: EVIL},
        metrics=[curve("dev-5xx", [[1000, 1]], label=EVIL, about=EVIL, comparison=EVIL)],
        alarms_before=[{"name": EVIL, "state": "ALARM", "since_epoch": RED, "reason": EVIL}],
    )
    evil["failures"] = [{"task": EVIL, "message": EVIL}]
    evil["other_runbooks"] = [{"host": EVIL, "outcome": EVIL}]
    page = report.render(evil)
    assert "<script" not in page
    assert "<img" not in page
    assert pictures(page)


@pytest.mark.parametrize(
    "fields",
    [
        {"metrics": [], "actions": [], "times": {}, "closed": None},
        {"metrics": [curve("dev-5xx", [])]},
        {"metrics": [curve("dev-5xx", [[1000, 0.0]], threshold=0.0)]},
        {"metrics": [curve("dev-5xx", [[1000, -3.0], [1005, -1.0]], threshold=None)]},
        {"alarms_before": [], "opened": None, "actions": [], "closed": None, "times": {}},
    ],
)
def test_a_record_with_little_in_it_has_a_page(fields: dict[str, Any]) -> None:
    page = report.render(record(**fields))
    for picture in pictures(page):
        for place in picture.iter():
            assert "nan" not in str(place.attrib).lower()


def test_a_runbook_that_had_not_begun_has_a_page() -> None:
    assert "Not closed" in report.render({**record(), "runbook": {}})


def test_a_line_is_broken_where_points_are_missing() -> None:
    points = [[at, 1.0] for at in (900, 905, 910, 950, 955)]
    (picture,) = pictures(chart.draw([curve("a", points)], [], None, 890, 960))
    assert len(picture.findall("polyline")) == 2


def test_the_fault_is_the_first_point_out_of_limits_before_the_red() -> None:
    low = curve("dev-5xx", [[900, 9], [905, 1], [985, 9], [990, 9], [1005, 1]])
    assert report.breach(record(metrics=[low])["runbook"], RED) == 985
    assert report.breach(record(metrics=[])["runbook"], RED) is None
    assert report.breach(record(metrics=[curve("dev-5xx", [[990, 1]])])["runbook"], RED) is None


class CloudWatch:
    """Answers GetMetricData in two pages and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def get_metric_data(self, **request: Any) -> dict[str, Any]:
        self.asked.append(dict(request))
        at = datetime.fromtimestamp(120 if "NextToken" in request else 60, UTC)
        page = {
            "MetricDataResults": [
                {"Id": query["Id"], "Timestamps": [at], "Values": [1.0]}
                for query in request["MetricDataQueries"]
            ]
        }
        return page if "NextToken" in request else {**page, "NextToken": "more"}


def metric(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "Id": name,
        "MetricStat": {
            "Metric": {"Namespace": "N", "MetricName": name, "Dimensions": []},
            "Period": 60,
            "Stat": "Sum",
        },
        "ReturnData": False,
        **fields,
    }


def test_curves_follow_from_the_alarms_own_definitions(monkeypatch: pytest.MonkeyPatch) -> None:
    alarms = {
        "share": {
            "AlarmName": "share",
            "Threshold": 5.0,
            "ComparisonOperator": "GreaterThanThreshold",
            "Metrics": [
                {"Id": "e1", "Expression": "100*e/r", "Label": "Share", "ReturnData": True},
                metric("e"),
                metric("r"),
            ],
        },
        "plain": {
            "AlarmName": "plain",
            "Threshold": 9.0,
            "ComparisonOperator": "GreaterThanThreshold",
            "Namespace": "N",
            "MetricName": "p",
            "ExtendedStatistic": "p99",
            "Dimensions": [{"Name": "Service", "Value": "hello"}],
        },
        "all": {"AlarmName": "all", "AlarmRule": 'ALARM("share") OR NOT OK(plain)'},
    }
    monkeypatch.setattr(
        curves, "describe", lambda _cloudwatch, names: [alarms[name] for name in names]
    )
    cloudwatch = CloudWatch()
    found = curves.read(cloudwatch, ["all"], 63, 200, 5)
    assert [(one["alarm"], one["label"], one["main"]) for one in found] == [
        ("plain", "p (p99)", True),
        ("share", "e (Sum)", False),
        ("share", "r (Sum)", False),
        ("share", "Share", True),
    ]
    assert found[0]["points"] == [[60.0, 1.0], [120.0, 1.0]]
    assert found[0]["about"] == "Service=hello"
    assert [one["threshold"] for one in found] == [9.0, None, None, 5.0]
    asked = cloudwatch.asked[0]
    assert asked["StartTime"] == datetime.fromtimestamp(60, UTC)
    assert asked["MetricDataQueries"][0]["MetricStat"]["Period"] == 5


def test_many_actions_of_one_second_are_one_mark_and_all_are_listed() -> None:
    at = "2026-01-02T03:04:05.{:03d}Z"
    runbook = {"actions": [{"at": at.format(n), "what": f"ended {n}"} for n in range(40)]}
    (mark,) = report.marks(runbook)
    assert mark.tag == "1-40" and "39 more" in mark.text
    few = {"actions": runbook["actions"][: report.TOGETHER]}
    assert [mark.tag for mark in report.marks(few)] == ["1", "2", "3"]
