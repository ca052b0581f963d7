"""One trace in the logs of the workloads: what names it, what is told of it, what is refused."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from ansible_collections.drydock.ops.plugins.module_utils import traces
from ansible_collections.drydock.ops.plugins.modules import trace_search
from ansible_collections.drydock.ops.plugins.plugin_utils.in_process import Ended, LocalModule
from botocore.exceptions import NoCredentialsError

REGION = "us-east-1"

TRACE, OTHER = "5759e988bd862e3fe1be46a994272793", "5759e988bd862e3fe1be46a994272794"
SPAN = "00f067aa0ba902b7"
GROUPS = {"order": "/drydock-test/order", "product": "/drydock-test/product"}


@pytest.mark.parametrize(
    "text",
    [
        TRACE,
        f" {TRACE.upper()}\n",
        f"1-{TRACE[:8]}-{TRACE[8:]}",
        f"00-{TRACE}-{SPAN}-01",
    ],
)
def test_each_form_names_the_trace(text: str) -> None:
    assert traces.trace_id(text) == TRACE


@pytest.mark.parametrize(
    "text",
    [
        "",
        TRACE[1:],
        f"{TRACE}0",
        f"2-{TRACE[:8]}-{TRACE[8:]}",
        f"1-{TRACE[:8]}{TRACE[8:]}",
        f"00-{TRACE}-{SPAN}",
        f"ff-{TRACE}-{SPAN}-01",
        "0" * 32,
        f"00-{'0' * 32}-{SPAN}-01",
        f"Root=1-{TRACE[:8]}-{TRACE[8:]}",
        f'{TRACE}" ?ERROR',
    ],
)
def test_anything_else_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"names no trace: give 32 hex digits.*Nothing was chang"):
        traces.trace_id(text)


@pytest.mark.parametrize("text", ["0", "-5", "1441", "60.5", "", "an hour", "1e2"])
def test_minutes_that_are_none_are_refused(text: str) -> None:
    assert traces.minutes("1440") == 1440
    with pytest.raises(ValueError, match=r"whole number from 1 to 1440[.] Nothing was changed"):
        traces.minutes(text)


def event(at: float = 1_000.25, **fields: Any) -> dict[str, Any]:
    message = json.dumps({"trace_id": TRACE, "span_id": SPAN, **fields})
    return {
        "timestamp": int(at * 1000),
        "message": message,
        "logStreamName": "order/order/0123456789ab",
    }


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"event": "request", "method": "POST", "path": "/x", "status": 201, "duration_ms": 3.5,
          "client": "10.0.0.9", "request_id": "r"}, "request POST /x 201 in 3.5 ms"),
        ({"event": "request", "method": "GET", "path": "/", "status": 200, "duration_s": 0.012},
         "request GET / 200 in 12 ms"),
        ({"event": "product_call_failed", "attempt": 1, "reason": "HTTP 503", "again": True},
         "product_call_failed attempt=1 reason=HTTP 503 again=true"),
        ({"event": "unhandled_error", "exception": [{"exc_type": "KeyError", "exc_value": "'x'"}]},
         "unhandled_error KeyError: 'x'"),
        ({"event": "try", "reason": "password=hunter2"}, "try reason=password=(redacted)"),
    ],
)  # fmt: skip
def test_what_a_line_says(fields: dict[str, Any], text: str) -> None:
    line = traces.line_of(TRACE, "order", event(**fields))
    assert line
    assert (line.text, line.task, line.span, line.at) == (text, "01234567", SPAN, 1_000.25)


def test_a_line_of_another_trace_or_none_is_none() -> None:
    for message in (
        json.dumps({"event": "mentions", "reason": f"called by {TRACE}", "trace_id": OTHER}),
        json.dumps([TRACE]),
        f"plain text with {TRACE}",
    ):
        assert traces.line_of(TRACE, "order", {**event(), "message": message}) is None


def test_lines_are_in_order_by_their_own_time_where_that_is_exact() -> None:
    said = [
        traces.line_of(TRACE, workload, event(event=what, timestamp=own))
        for workload, what, own in (
            ("order", "last", "1970-01-01T00:16:40.300Z"),
            ("product", "first", "1970-01-01T00:16:40.200000+00:00"),
            ("frontend", "between", "1970-01-01T00:16:39+00:00"),  # nginx: to the second
        )
    ]
    table = traces.time_line([one for one in said if one])
    assert [row.split()[-1] for row in table] == ["what", "first", "between", "last"]
    assert table[1].startswith("1970-01-01T00:16:40.200Z  product   01234567  " + SPAN)


@pytest.fixture
def logs(aws: Any) -> Any:
    """CloudWatch Logs with the groups; `say(workload, fields, seconds ago)`."""
    client = aws("logs")
    for group in GROUPS.values():
        client.create_log_group(logGroupName=group)
        client.create_log_stream(logGroupName=group, logStreamName="task/x/0123456789abcdef")

    def say(workload: str, ago: float = 0, **fields: Any) -> None:
        found = event(at=time.time() - ago, **fields)
        found.pop("logStreamName")
        client.put_log_events(
            logGroupName=GROUPS[workload],
            logStreamName="task/x/0123456789abcdef",
            logEvents=[found],
        )

    return say


def run(check_mode: bool = False, **arguments: Any) -> dict[str, Any]:
    given = {"trace": TRACE, "groups": GROUPS, "region": REGION, **arguments}
    with pytest.raises(Ended) as ended:
        trace_search.main(LocalModule(given, check_mode=check_mode).make)
    return ended.value.result


@pytest.mark.parametrize("check_mode", [False, True])
def test_one_time_line_of_both_and_nothing_of_another(logs: Any, check_mode: bool) -> None:
    logs("product", 9, event="request", method="POST", path="/p", status=201, duration_ms=4)
    logs("order", 8, event="request", method="POST", path="/o", status=201, duration_ms=9)
    logs("order", 7, event="other", trace_id=OTHER, reason=f"like {TRACE}")
    found = run(check_mode)
    assert not found["changed"] and not found.get("failed")
    assert found["workloads"] == {"order": 1, "product": 1}
    assert [row.split()[1] for row in found["lines"]] == ["service", "product", "order"]
    assert "other" not in "".join(found["lines"])
    assert f"Trace {TRACE}: 2 lines of product, order, from " in found["sentences"][0]
    assert found["evidence"] == found["sentences"]
    # The negative control: the other id has its own line, and only that.
    assert run(trace=OTHER)["workloads"] == {"order": 1}


def test_where_nothing_is_found_it_says_where_it_looked(logs: Any) -> None:
    logs("order", 3600, event="request")
    found = run(minutes="5", groups={**GROUPS, "hello": "/drydock-test/hello"})
    assert (found["lines"], found["workloads"]) == ([], {})
    assert found["missing"] == ["/drydock-test/hello"]
    first, second = found["sentences"]
    assert f"No line of trace {TRACE} was found in {', '.join(GROUPS.values())}, from " in first
    assert "It may be older (trace_minutes, up to 1440)" in first
    assert second == "There is no log group /drydock-test/hello: it was not searched."
    # An hour ago is within two.
    assert run(minutes="120")["workloads"] == {"order": 1}


def test_an_id_that_tells_its_time_says_how_far_to_look_back(logs: Any) -> None:
    begun = int(time.time()) - 7200
    trace = f"{begun:08x}{TRACE[8:]}"
    logs("order", 7190, event="request", trace_id=trace)
    (sentence,) = run(trace=trace)["sentences"]
    assert "look back with trace_minutes=121." in sentence
    assert run(trace=trace, minutes="121")["workloads"] == {"order": 1}


def test_more_lines_than_are_told_are_named(logs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_search, "MOST", 2)
    for _ in range(3):
        logs("order", event="request")
    found = run()
    assert found["workloads"] == {"order": 2}
    assert found["sentences"][1] == "Of order only the first 2 lines are told: there are more."


def test_what_names_nothing_asks_nothing() -> None:
    """Without any AWS to ask."""
    for wrong in ({"trace": "x"}, {"minutes": "0"}):
        found = run(**wrong)
        assert found["failed"] and found["msg"].endswith("Nothing was changed.")


def test_aws_s_refusals_are_sentences(logs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> None:
        raise NoCredentialsError

    monkeypatch.setattr(trace_search, "search", refused)
    said = f"Search for trace {TRACE} in the logs: there are no AWS credentials; sign in"
    assert run()["msg"].startswith(said)
