"""CloudWatch end to end: what is measured turns alarms red and green, and people are told."""

import json
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.platform.conftest import Cloud, wait_for

# 60 s of AWS's, at the scale of the cloud that is tested, and what an evaluation may take.
SLACK = 5.0


class Receiver:
    """A web hook on this machine that keeps what it is sent."""

    def __init__(self) -> None:
        self.messages: list[tuple[dict[str, str], dict[str, Any]]] = []
        kept = self.messages

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                kept.append((dict(self.headers), json.loads(body)))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Says nothing: the test looks at what came."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def alarms(self, name: str) -> list[tuple[str, str]]:
        """(old state, new state) of every message about an alarm."""
        told = [json.loads(body["Message"]) for _, body in self.messages]
        return [
            (one["OldStateValue"], one["NewStateValue"]) for one in told if one["AlarmName"] == name
        ]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()


@pytest.fixture
def topic(cloud: Cloud, receiver: Receiver) -> Iterator[str]:
    """A topic with a live web hook, and before it one that takes messages and never answers."""
    sns = cloud.client("sns")
    arn = sns.create_topic(Name=f"tests-{uuid.uuid4().hex[:8]}")["TopicArn"]
    with socket.create_server(("127.0.0.1", 0)) as hung:
        endpoint = f"http://127.0.0.1:{hung.getsockname()[1]}/hung"
        sns.subscribe(TopicArn=arn, Protocol="http", Endpoint=endpoint)
        sns.subscribe(TopicArn=arn, Protocol="http", Endpoint=receiver.url)
        yield arn
        sns.delete_topic(TopicArn=arn)


def state(cloud: Cloud, name: str) -> dict[str, Any]:
    kinds = ["MetricAlarm", "CompositeAlarm"]
    found = cloud.client("cloudwatch").describe_alarms(AlarmNames=[name], AlarmTypes=kinds)
    return (found["MetricAlarms"] + found["CompositeAlarms"])[0]


@pytest.fixture
def names(cloud: Cloud) -> Iterator[Any]:
    """Names for alarms, which are deleted afterwards."""
    made: list[str] = []

    def name(of: str) -> str:
        made.append(f"tests-{of}-{uuid.uuid4().hex[:8]}")
        return made[-1]

    yield name
    cloud.client("cloudwatch").delete_alarms(AlarmNames=made)


class Feed:
    """Puts a metric's value every half second until it is told otherwise."""

    def __init__(self, cloud: Cloud, metric: str):
        self.value = 1.0
        self._cloudwatch, self._metric = cloud.client("cloudwatch"), metric
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._ended.wait(0.5):
            row = {"MetricName": self._metric, "Value": self.value, "Unit": "Count"}
            self._cloudwatch.put_metric_data(Namespace="Tests", MetricData=[row])

    def __enter__(self) -> "Feed":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


def test_red_and_green_and_everybody_is_told(cloud, topic, receiver, names):
    cloudwatch, sns, sqs = cloud.client("cloudwatch"), cloud.client("sns"), cloud.client("sqs")
    queue = sqs.create_queue(QueueName=f"tests-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=attributes["Attributes"]["QueueArn"])
    metric, name, whole = f"m{uuid.uuid4().hex[:8]}", names("plain"), names("composite")
    period = cloud.settings.scaled(60)
    given = {
        "AlarmName": name,
        "Namespace": "Tests",
        "MetricName": metric,
        "Statistic": "Maximum",
        "Period": 60,
        "EvaluationPeriods": 3,
        "DatapointsToAlarm": 2,
        "Threshold": 5.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "AlarmActions": [topic],
        "OKActions": [topic],
    }
    cloudwatch.put_metric_alarm(**given)
    # The negative control: the same metric, a threshold that it never reaches.
    quiet = names("quiet")
    cloudwatch.put_metric_alarm(**{**given, "AlarmName": quiet, "Threshold": 500.0})
    cloudwatch.put_composite_alarm(
        AlarmName=whole, AlarmRule=f"ALARM({name}) OR ALARM({quiet})", AlarmActions=[topic]
    )
    with Feed(cloud, metric) as feed:
        wait_for(lambda: state(cloud, name)["StateValue"] == "OK", 2 * period + SLACK, "green")
        feed.value, begun = 9.0, time.time()
        wait_for(lambda: state(cloud, name)["StateValue"] == "ALARM", 3 * period + SLACK, "red")
        took = time.time() - begun
        assert took > period / 2, "one datapoint was enough for two"
        red = state(cloud, name)
        assert red["StateReason"].startswith("Threshold Crossed: 2 out of the last 3 datapoints [9")
        wait_for(lambda: state(cloud, whole)["StateValue"] == "ALARM", SLACK, "the composite red")
        feed.value = 1.0
        wait_for(
            lambda: state(cloud, name)["StateValue"] == "OK", 3 * period + SLACK, "green again"
        )
    assert state(cloud, quiet)["StateValue"] == "OK"

    expected = [("INSUFFICIENT_DATA", "OK"), ("OK", "ALARM"), ("ALARM", "OK")]
    wait_for(lambda: receiver.alarms(name) == expected, SLACK, "the web hook being told")
    assert receiver.alarms(quiet) == [("INSUFFICIENT_DATA", "OK")]
    assert receiver.alarms(whole) == [("OK", "ALARM")]
    headers, body = receiver.messages[0]
    assert headers["x-amz-sns-message-type"] == "Notification"
    assert body["TopicArn"] == topic

    told: list[dict] = []

    def drained() -> bool:
        found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        told.extend(json.loads(json.loads(one["Body"])["Message"]) for one in found)
        return len(told) >= 5

    wait_for(drained, SLACK, "five messages in the queue")
    assert {one["AlarmName"] for one in told} == {name, quiet, whole}

    def actions() -> list[str]:
        found = cloudwatch.describe_alarm_history(AlarmName=name, HistoryItemType="Action")
        return [one["HistorySummary"] for one in found["AlarmHistoryItems"]]

    assert actions() == [f"Successfully executed action {topic}"] * 3
    changes = cloudwatch.describe_alarm_history(AlarmName=name, HistoryItemType="StateUpdate")
    assert [one["HistorySummary"] for one in changes["AlarmHistoryItems"]] == [
        "Alarm updated from ALARM to OK",
        "Alarm updated from OK to ALARM",
        "Alarm updated from INSUFFICIENT_DATA to OK",
    ]
    sqs.delete_queue(QueueUrl=queue)


def test_missing_data_turns_an_alarm_red_and_an_action_on_nothing_is_written_down(cloud, names):
    cloudwatch, name = cloud.client("cloudwatch"), names("missing")
    gone = f"arn:aws:sns:us-east-1:{cloud.settings.account_id}:gone-{uuid.uuid4().hex[:8]}"
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="Tests",
        MetricName="never",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=2,
        Threshold=1.0,
        ComparisonOperator="LessThanThreshold",
        TreatMissingData="breaching",
        AlarmActions=[gone],
    )
    wait_for(lambda: state(cloud, name)["StateValue"] == "ALARM", SLACK, "red without data")
    assert "no datapoints were received for 2 periods" in state(cloud, name)["StateReason"]

    def failed() -> list:
        found = cloudwatch.describe_alarm_history(AlarmName=name, HistoryItemType="Action")
        return [one for one in found["AlarmHistoryItems"] if "Failed" in one["HistorySummary"]]

    [item] = wait_for(failed, SLACK, "the action that failed")
    assert "does not exist" in json.loads(item["HistoryData"])["error"]


def test_a_log_line_becomes_a_metric_and_an_alarm(cloud, names):
    cloudwatch, logs = cloud.client("cloudwatch"), cloud.client("logs")
    group, name = f"/tests/{uuid.uuid4().hex[:8]}", names("log")
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    logs.put_metric_filter(
        logGroupName=group,
        filterName="errors",
        filterPattern='{ $.level = "error" && $.status >= 500 }',
        metricTransformations=[
            {"metricName": group, "metricNamespace": "Tests", "metricValue": "1"}
        ],
    )
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="Tests",
        MetricName=group,
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=2.0,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="notBreaching",
    )
    wait_for(lambda: state(cloud, name)["StateValue"] == "OK", SLACK, "green")

    def say(*lines: dict) -> None:
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": json.dumps(line)} for line in lines]
        logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)

    say(*[{"level": "error", "status": 404}, {"level": "info", "status": 200}] * 3)
    time_for_one = cloud.settings.scaled(60) + SLACK
    until = time.monotonic() + cloud.settings.scaled(60) + 1
    # The negative control: lines that do not match leave it green for a whole period.
    wait_for(lambda: time.monotonic() > until, time_for_one, "a period", every=0.5)
    assert state(cloud, name)["StateValue"] == "OK"
    say(*[{"level": "error", "status": 503}] * 2)
    wait_for(lambda: state(cloud, name)["StateValue"] == "ALARM", time_for_one, "red")

    found = logs.filter_log_events(logGroupName=group, filterPattern="{ $.status = 404 }")
    assert len(found["events"]) == 3
    with pytest.raises(logs.exceptions.InvalidParameterException, match="pattern"):
        logs.filter_log_events(logGroupName=group, filterPattern="{ $.status = }")
    logs.delete_log_group(logGroupName=group)


def test_what_cannot_be_answered_is_refused_in_a_sentence(cloud):
    cloudwatch = cloud.client("cloudwatch")
    with pytest.raises(cloudwatch.exceptions.ClientError, match="errors / nobody") as refused:
        cloudwatch.get_metric_data(
            MetricDataQueries=[{"Id": "e", "Expression": "errors / nobody"}],
            StartTime=time.time() - 60,
            EndTime=time.time(),
        )
    assert refused.value.response["Error"]["Code"] == "ValidationError"
