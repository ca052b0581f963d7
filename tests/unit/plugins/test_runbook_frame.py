"""The parts of the runbooks' frame: inputs, alarms, times, evidence, notices, journal module."""

from __future__ import annotations

import dataclasses
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.drydock.ops.plugins.action.alarms_green import measure, not_green
from ansible_collections.drydock.ops.plugins.action.runbook_inputs import check, shown
from ansible_collections.drydock.ops.plugins.filter.runbooks import (
    alarm_lines,
    decision_lines,
    recovery_lines,
)
from ansible_collections.drydock.ops.plugins.module_utils import notices, sessions
from ansible_collections.drydock.ops.plugins.module_utils.alarms import describe, summary
from ansible_collections.drydock.ops.plugins.module_utils.journal import Journal
from ansible_collections.drydock.ops.plugins.module_utils.locks import EnvironmentLock
from ansible_collections.drydock.ops.plugins.module_utils.redaction import MASK, redact_all
from ansible_collections.drydock.ops.plugins.module_utils.runs import Run, moment
from ansible_collections.drydock.ops.plugins.modules.runbook_journal import act

HERE = Run.current()
DEAD = dataclasses.replace(HERE, started="1")
SECRET = "hunter2-planted"
INPUTS = {
    "share": {"type": "int", "default": 50, "minimum": 1, "maximum": 100, "description": "Part."},
    "mode": {"type": "str", "choices": ["slow", "fast"], "description": "Pace."},
    "target": {"type": "str", "required": True, "description": "What."},
    "api_token": {"type": "str", "description": "A secret."},
}


def call(service: str, operation: str, **parameters: Any) -> dict[str, Any]:
    return {
        "service": service,
        "operation": operation,
        "parameters": parameters,
        "region": "us-east-1",
    }


def topics(aws: Any) -> list[str]:
    return [one["TopicArn"].rpartition(":")[2] for one in aws("sns").list_topics()["Topics"]]


def given(**values: Any) -> tuple[dict[str, Any], list[str]]:
    return check("x", INPUTS, {"target": "a", **values}, {"aws_region"})


def test_inputs_are_typed_and_have_their_defaults() -> None:
    typed, problems = given(share="7", force="true", confirm="prod", aws_region="eu", awx_job_id=1)
    assert problems == []
    assert typed == {"share": 7, "mode": None, "target": "a", "api_token": None}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"shrae": "7"}, ["shrae is no input", "did you mean share?"]),
        ({"share": "many"}, ["share", "int"]),
        ({"share": "101"}, ["share=101 must be at least 1 and at most 100: Part."]),
        ({"share": "0"}, ["share=0 must be at least 1"]),
        ({"mode": "warp"}, ["mode", "slow, fast", "warp"]),
        ({"target": None}, ["target"]),
    ],
)
def test_wrong_inputs_are_named(values: dict[str, Any], words: list[str]) -> None:
    _typed, problems = given(**values)
    assert problems
    assert all(problem.startswith("Runbook x: ") for problem in problems)
    for word in words:
        assert word in " ".join(problems)


def test_a_missing_input_is_named() -> None:
    _typed, problems = check("x", INPUTS, {}, set())
    assert "target" in " ".join(problems)


def test_secrets_among_the_inputs_are_masked() -> None:
    typed, _problems = given(api_token=SECRET)
    assert typed["api_token"] == SECRET
    assert SECRET not in json.dumps(shown(INPUTS, typed))
    assert shown({"pin": {"no_log": True}}, {"pin": 4711}) == {"pin": MASK}


def alarm(name: str, state: str, since: float, reason: str = "") -> dict[str, Any]:
    return {
        "name": name,
        "state": state,
        "since": moment(since),
        "since_epoch": since,
        "reason": reason,
    }


def test_it_waits_for_what_was_red_and_for_whatever_else_is_now() -> None:
    alarms = [
        alarm("was-red", "INSUFFICIENT_DATA", 1),
        alarm("quiet", "INSUFFICIENT_DATA", 1),
        alarm("new", "ALARM", 1),
        alarm("fine", "OK", 1),
    ]
    assert [one["name"] for one in not_green(alarms, ["was-red", "fine"])] == ["was-red", "new"]


def test_a_recovery_is_measured_and_shared_out() -> None:
    before = [alarm("a", "ALARM", 1000), alarm("b", "ALARM", 1010), alarm("c", "OK", 900)]
    after = [alarm("a", "OK", 1100), alarm("b", "OK", 1120.5), alarm("c", "OK", 900)]
    steps = [
        {"at": moment(1040), "done_at": moment(1050)},
        {"at": moment(1060), "done_at": moment(1090)},
    ]
    assert measure(moment(1030), steps, before, after) == {
        "red_since": moment(1000),
        "opened": moment(1030),
        "first_action": moment(1040),
        "last_action": moment(1090),
        "green": moment(1120.5),
        "red_seconds": 120.5,
        "recovery_seconds": 90.5,
        "ours_seconds": 60.0,
        "aws_clock_seconds": 30.5,
    }


def test_what_was_not_red_has_no_recovery() -> None:
    times = measure(moment(1030), [], [alarm("a", "OK", 1)], [alarm("a", "OK", 1)])
    assert times["green"] is None
    assert recovery_lines(times) == ["green       (nothing was red)"]


def test_an_alarm_that_turned_green_before_the_last_action_ended() -> None:
    before, after = [alarm("a", "ALARM", 1000)], [alarm("a", "OK", 1050)]
    steps = [{"at": moment(1040), "done_at": moment(1090)}]
    times = measure(moment(1030), steps, before, after)
    assert (times["recovery_seconds"], times["aws_clock_seconds"]) == (20.0, 0.0)


def test_alarms_are_found_by_name_and_pattern(aws: Any) -> None:
    cloudwatch = aws("cloudwatch")
    for name in ("dev-a-5xx", "dev-b-5xx", "dev-b-cpu", "other"):
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            Namespace="N",
            MetricName="M",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
        )
    cloudwatch.set_alarm_state(AlarmName="other", StateValue="ALARM", StateReason="so")
    found = [summary(one) for one in describe(cloudwatch, ["dev-*-5xx", "other", "none"])]
    assert [one["name"] for one in found] == ["dev-a-5xx", "dev-b-5xx", "other"]
    assert (found[2]["state"], found[2]["reason"], found[2]["kind"]) == ("ALARM", "so", "metric")
    assert describe(cloudwatch, ["none"]) == []


def test_the_red_alarms_come_first_and_no_data_is_not_green() -> None:
    answer = {
        "alarms": [alarm("a", "OK", 1), alarm("b", "INSUFFICIENT_DATA", 1), alarm("c", "ALARM", 1)],
        "missing": ["d-*"],
    }
    lines = alarm_lines(answer)
    assert [line.split()[1] for line in lines] == ["c:", "b:", "a:", "d-*:"]
    assert "not green" in lines[1]
    assert "there is none" in lines[3]


def test_a_decision_that_says_too_little_is_refused() -> None:
    good = {"cause": "c", "action": "a", "because": ["b", "b2"], "plan": [], "undo": ["u"]}
    assert decision_lines({**good, "more": 1})[0] == "cause       c"
    for key in good:
        with pytest.raises(AnsibleFilterError, match=key):
            decision_lines({name: value for name, value in good.items() if name != key})


def test_evidence_grows_merges_and_keeps_no_secret() -> None:
    record: dict[str, Any] = {}
    sessions.merge(record, {"actions": [{"what": "one"}], "times": {"a": 1}, "outcome": "open"})
    sessions.merge(
        record,
        {
            "actions": [{"what": f"password={SECRET}"}],
            "times": {"b": 2},
            "outcome": "mended",
            "facts": [{"db_password": SECRET, "secret_arn": "arn:aws:secretsmanager:x"}],
            "log": f"postgres://app:{SECRET}@db/x https://hooks.slack.com/services/{SECRET}",
        },
    )
    assert SECRET not in json.dumps(record)
    assert [one["what"] for one in record["actions"]] == ["one", f"password={MASK}"]
    assert record["times"] == {"a": 1, "b": 2}
    assert record["outcome"] == "mended"
    assert record["facts"][0]["secret_arn"] == "arn:aws:secretsmanager:x"
    assert redact_all({"x": object}) != {}


@pytest.fixture
def hook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """(URL of a webhook, what it was sent); it refuses what is sent to /no."""
    got: list[dict[str, Any]] = []

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(403 if self.path == "/no" else 200)
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    server.server_close()


def test_people_are_told_without_secrets(aws: Any, hook: Any) -> None:
    url, got = hook
    topic = aws("sns").create_topic(Name="alarms")["TopicArn"]
    sent, problems = notices.send(
        "Runbook x", [f"token={SECRET}"], topic, f"{url}/{SECRET}", "us-east-1"
    )
    assert (sent, problems) == (["sns", "webhook"], [])
    assert got == [{"text": f"Runbook x\ntoken={MASK}"}]


@pytest.mark.parametrize(
    ("path", "words"), [("/no", "it answered 403"), (None, "ConnectionRefusedError")]
)
def test_a_webhook_that_fails_is_named_without_its_url(
    hook: Any, path: str | None, words: str
) -> None:
    url = f"{hook[0]}{path}" if path else f"http://127.0.0.1:1/{SECRET}"
    sent, problems = notices.send("Runbook x", [], "", url, "us-east-1")
    assert sent == []
    assert words in problems[0]
    assert url not in problems[0]
    assert SECRET not in problems[0]


def test_a_webhook_that_is_none_and_a_topic_that_is_gone(aws: Any) -> None:
    _sent, problems = notices.send(
        "x", [], "arn:aws:sns:us-east-1:123456789012:gone", "file:///etc/passwd", "us-east-1"
    )
    assert "NotFound" in problems[0]
    assert "neither https:// nor http://" in problems[1]


def test_the_rescue_never_undoes_another_runs_steps(table: Any, aws: Any) -> None:
    """A run that was refused the lock comes to its rescue too."""
    living = Journal(*table, "dev", DEAD)
    living.open("x")
    living.begin("step", [call("sns", "create_topic", Name="harm")])
    mine = Journal(*table, "dev", HERE)
    for operation in ("undo", "close", "read"):
        answer = act(mine, operation, "y", check=False)
        assert answer["undone"] == []
        assert answer["left"]["holder"] == DEAD.name
    assert act(mine, "recover", "y", check=True)["undone"] == []
    assert topics(aws) == []
    assert [step["state"] for step in living.read()["steps"]] == ["begun"]


def test_what_fails_to_be_undone_stays_for_the_next_run(table: Any, aws: Any) -> None:
    mine = Journal(*table, "dev", HERE)
    mine.open("x")
    mine.begin("step", [call("sns", "delete_topic", TopicArn="none")])
    answer = act(mine, "undo", "", check=False)
    assert answer["changed"] is False
    assert mine.read()
    mine.begin("end sessions", None)
    dead = Journal(*table, "dev", Run.current())
    assert act(dead, "close", "", check=False)["changed"] is False
    assert mine.read() == {}


def test_a_run_that_was_broken_off_is_undone_and_told_of(table: Any, aws: Any) -> None:
    lock = EnvironmentLock(table, "dev", HERE, "")
    lock.acquire("runbook x", 30)
    journal = Journal(*table, "dev", HERE)
    journal.open("x")
    journal.begin("step", [call("sns", "create_topic", Name="undone")])
    record = {
        "name": "x",
        "environment": "dev",
        "region": "us-east-1",
        "table": table[1],
        "account": "1",
        "host": "hello",
        "caller": "ann",
        "period": 60,
        "opened": moment(),
        "alarms_before": [],
        "locked": True,
    }
    assert sessions.is_open(record)
    said = sessions.end(record, "interrupted", "The run was broken off.")
    assert any(line.startswith("Undone: step") for line in said)
    assert "The lock of dev was given back." in said
    assert topics(aws) == ["undone"]
    assert lock.read() == {}
    assert journal.read() == {}
    assert (record["outcome"], sessions.is_open(record)) == ("interrupted", False)
    assert [one["undone"] for one in record["undone"]] == [True]


def test_an_end_without_aws_says_so_and_raises_nothing(
    monkeypatch: pytest.MonkeyPatch, hook: Any
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    record = {
        "name": "x",
        "environment": "dev",
        "region": "us-east-1",
        "table": "t",
        "account": "1",
        "host": "hello",
        "caller": "ann",
        "period": 60,
        "opened": moment(),
        "alarms_before": [],
        "locked": True,
    }
    said = sessions.end(record, "interrupted", "The run was broken off.", hook[0])
    assert "were not undone: AWS does not answer" in said[0]
    assert "was not given back" in said[-1]
    assert "closed in dev: interrupted" in hook[1][0]["text"]
