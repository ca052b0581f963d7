"""A switch, the alarm that watches it, people who are told, and a runbook that turns it on."""

from __future__ import annotations

import http.server
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from drydock import audit
from drydock.settings import PROJECT
from tests.platform.conftest import Cloud, cloud, wait_for  # noqa: F401 (a fixture by its name)
from tests.site.site import Run, evidence, finish, start

# The runbook runs these itself, at its Verify.
collect_ignore = ["runbooks"]

ENVIRONMENT, HOST = "local", "hello"
TABLE, BUCKET, ALARM, SWITCH = "frame-locks", "frame-states", "frame-hello-off", "/frame/hello"
STATE = f"{ENVIRONMENT}/observability.tfstate"
TOKEN = "hunter2-planted-token"
HOOK = "T000-planted-webhook"


@dataclass
class Frame:
    """What the tests see and do.

    Attributes:
        hooked: bodies that the webhook was sent.
        queue: URL of a queue that the topic's messages come to.
    """

    cloud: Cloud
    webhook: str = ""
    queue: str = ""
    hooked: list[dict] = field(default_factory=list)

    def client(self, service: str) -> Any:
        return self.cloud.client(service)

    def turn(self, position: str) -> None:
        self.client("ssm").put_parameter(Name=SWITCH, Value=position, Type="String", Overwrite=True)

    @property
    def position(self) -> str:
        return self.client("ssm").get_parameter(Name=SWITCH)["Parameter"]["Value"]

    @property
    def state(self) -> str:
        found = self.client("cloudwatch").describe_alarms(AlarmNames=[ALARM])
        return found["MetricAlarms"][0]["StateValue"]

    def make(self, position: str, state: str) -> None:
        self.turn(position)
        wait_for(lambda: self.state == state, 60, f"{ALARM} is {state}")

    def begin(self, *words: str) -> Any:
        """Starts the runbook; its secrets come in a file, as AWX gives them."""
        return start("tests/frame/runbooks/switch", "--limit", HOST, *self.words, *words)

    def run(self, *words: str) -> Run:
        return finish(self.begin(*words), timeout=400)

    @property
    def words(self) -> list[str]:
        variables = {
            "project_dir": str(PROJECT),
            "lock_table": TABLE,
            "state_bucket": BUCKET,
            "notification_webhook": self.webhook,
        }
        return ["-e", json.dumps(variables)]

    def items(self) -> list[str]:
        """Locks and journals that are there."""
        rows = self.client("dynamodb").scan(TableName=TABLE)["Items"]
        return sorted(row["LockID"]["S"] for row in rows)

    def mark(self) -> int:
        return audit.mark(self.cloud.settings.audit)

    def mutating_since(self, mark: int) -> list[str]:
        """API calls that could have changed something, but not those of the feed below."""
        return [
            f"{row['service']}:{row['action']}"
            for row in audit.read(self.cloud.settings.audit, mark)
            if row["mutating"] and row["action"] != "PutMetricData"
        ]

    def record(self) -> dict:
        return evidence(self.cloud.settings.home, "switch")

    def told(self) -> list[str]:
        """First lines of the messages that came to the topic since the last look."""
        sqs, found = self.client("sqs"), []
        while True:
            got = sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10)
            messages = got.get("Messages", [])
            if not messages:
                return found
            for message in messages:
                found.append(json.loads(message["Body"])["Message"].splitlines()[0])
                sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])


@pytest.fixture(scope="session")
def frame(cloud: Cloud) -> Iterator[Frame]:  # noqa: F811
    os.environ["ANSIBLE_LIBRARY"] = str(PROJECT / "tests/frame/runbooks/library")
    # Its playbooks stand elsewhere than the project's, from which the folder would be found.
    os.environ["DRYDOCK_HOME"] = str(cloud.settings.home)
    made = Frame(cloud)
    _make_lock_table(made)
    topic = _make_topic(made)
    made.turn("on")
    made.client("cloudwatch").put_metric_alarm(
        AlarmName=ALARM,
        AlarmDescription="The switch is off. Runbook: runbooks/switch.yml.",
        Namespace="Frame",
        MetricName="Off",
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="ignore",
    )
    ended = threading.Event()
    server = _listen(made)
    feed = threading.Thread(target=_feed, args=(made, ended), daemon=True)
    feed.start()
    yield made
    ended.set()
    feed.join(timeout=10)
    server.shutdown()
    # The cloud may be one that goes on.
    made.client("cloudwatch").delete_alarms(AlarmNames=[ALARM])
    made.client("dynamodb").delete_table(TableName=TABLE)
    made.client("ssm").delete_parameter(Name=SWITCH)
    made.client("sns").delete_topic(TopicArn=topic)
    made.client("sqs").delete_queue(QueueUrl=made.queue)
    made.client("s3").delete_object(Bucket=BUCKET, Key=STATE)
    made.client("s3").delete_bucket(Bucket=BUCKET)


def _make_lock_table(frame: Frame) -> None:
    frame.client("dynamodb").create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "LockID", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "LockID", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def _make_topic(frame: Frame) -> str:
    """ARN of a topic that the stack observability puts out, and that a queue hears."""
    topic = frame.client("sns").create_topic(Name="frame-alarms")["TopicArn"]
    frame.queue = frame.client("sqs").create_queue(QueueName="frame-alarms")["QueueUrl"]
    queue_arn = frame.client("sqs").get_queue_attributes(
        QueueUrl=frame.queue, AttributeNames=["QueueArn"]
    )["Attributes"]["QueueArn"]
    frame.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
    state = {
        "resources": [{}],
        "outputs": {"notification_topic_arn": {"value": topic, "type": "string"}},
    }
    s3 = frame.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key=STATE, Body=json.dumps(state).encode())
    return topic


def _feed(frame: Frame, ended: threading.Event) -> None:
    """What a switch says of itself, every second."""
    while not ended.wait(1):
        off = 0 if frame.position == "on" else 1
        frame.client("cloudwatch").put_metric_data(
            Namespace="Frame", MetricData=[{"MetricName": "Off", "Value": off}]
        )


def _listen(frame: Frame) -> http.server.ThreadingHTTPServer:
    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            frame.hooked.append({"path": self.path, **json.loads(body)})
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    frame.webhook = f"http://127.0.0.1:{server.server_port}/services/{HOOK}"
    return server


@pytest.fixture(autouse=True)
def quiet(frame: Frame) -> None:
    """Each test begins with a switch that is on, a green alarm, and nothing left over."""
    frame.make("on", "OK")
    assert frame.items() == []
    frame.hooked.clear()
    frame.told()


def wait_until_hanging(frame: Frame) -> None:
    """Until the mitigation is in the middle of its step."""
    wait_for(lambda: frame.position == "half", 200, "the switch is half-way", every=0.1)


def secrets_in(folder: Path) -> list[str]:
    """Files below a folder that hold a planted secret."""
    return [
        str(path)
        for path in folder.rglob("*")
        if path.is_file() and any(word.encode() in path.read_bytes() for word in (TOKEN, HOOK))
    ]
