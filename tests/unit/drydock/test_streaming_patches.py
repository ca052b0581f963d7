"""Streams, queues and functions as the API shows them; functions that read a stream."""

import io
import json
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from moto import mock_aws
from moto.backends import get_backend

from drydock.errors import ApiError
from drydock.moto import patches, streaming
from drydock.moto.api import Context
from drydock.moto.patches import rds_backups
from drydock.settings import ACCOUNT_ID

WATCHER = """
import base64, json
def handler(batch, context):
    for record in batch["Records"]:
        if base64.b64decode(record["kinesis"]["data"]) == b"bad":
            return {"batchItemFailures": [{"itemIdentifier": record["kinesis"]["sequenceNumber"]}]}
    print("read", len(batch["Records"]))
"""


@pytest.fixture(scope="module", autouse=True)
def patched():
    patches.apply()


@pytest.fixture(autouse=True)
def cloud(monkeypatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        yield


def _until(look, seconds=60):
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.2)
    return found


def test_a_stream_keeps_the_tags_that_it_is_made_with():
    kinesis = boto3.client("kinesis")
    kinesis.create_stream(StreamName="s", ShardCount=1, Tags={"Owner": "platform"})
    tags = kinesis.list_tags_for_stream(StreamName="s")["Tags"]
    assert tags == [{"Key": "Owner", "Value": "platform"}]


def _read(kinesis, shard, limit=100):
    """Records, lag and whether there is more to come, from a shard's beginning."""
    iterator = kinesis.get_shard_iterator(
        StreamName="s", ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    answer = kinesis.get_records(ShardIterator=iterator, Limit=limit)
    rows = [(row["PartitionKey"], row["Data"]) for row in answer["Records"]]
    return rows, answer["MillisBehindLatest"], answer.get("NextShardIterator") is not None


def test_a_reader_of_old_records_is_behind_and_one_at_the_tip_is_not():
    kinesis = boto3.client("kinesis")
    kinesis.create_stream(StreamName="s", ShardCount=1)
    for number in range(3):
        kinesis.put_record(StreamName="s", PartitionKey="a", Data=b"%d" % number)
    begun = time.monotonic()
    _until(lambda: time.monotonic() > begun + 0.2)
    rows, behind, _ = _read(kinesis, "shardId-000000000000", limit=1)
    assert rows == [("a", b"0")]
    assert behind >= 200
    assert _read(kinesis, "shardId-000000000000")[1] == 0


def test_streams_and_queues_are_counted():
    streaming.take_counted()
    kinesis, sqs = boto3.client("kinesis"), boto3.client("sqs")
    kinesis.create_stream(StreamName="s", ShardCount=1)
    kinesis.put_record(StreamName="s", PartitionKey="a", Data=b"12345")
    _read(kinesis, "shardId-000000000000")
    counted = {one.name: one.value for one in streaming.take_counted() if one.stream == "s"}
    assert counted == {
        "IncomingBytes": 6, "IncomingRecords": 1, "GetRecords.IteratorAgeMilliseconds": 0
    }  # fmt: skip
    assert streaming.take_counted() == []
    queue = sqs.create_queue(QueueName="q")["QueueUrl"]
    for text in ("a", "b"):
        sqs.send_message(QueueUrl=queue, MessageBody=text)
    sqs.receive_message(QueueUrl=queue, VisibilityTimeout=60)
    assert streaming.depths() == [streaming.Depth("us-east-1", "q", 1, 1, 0)]


def test_a_shard_that_was_split_or_merged_keeps_its_records_and_ends():
    kinesis = boto3.client("kinesis")
    kinesis.create_stream(StreamName="s", ShardCount=1)
    kinesis.put_record(StreamName="s", PartitionKey="a", Data=b"before")
    kinesis.update_shard_count(StreamName="s", TargetShardCount=2, ScalingType="UNIFORM_SCALING")
    shards = {one["ShardId"][-1]: one for one in kinesis.list_shards(StreamName="s")["Shards"]}
    assert [one.get("ParentShardId", "")[-1:] for one in shards.values()] == ["", "0", "0"]
    assert _read(kinesis, shards["0"]["ShardId"]) == ([("a", b"before")], 0, False)
    put = kinesis.put_record(StreamName="s", PartitionKey="a", Data=b"after")
    assert put["ShardId"] != shards["0"]["ShardId"]
    assert _read(kinesis, put["ShardId"]) == ([("a", b"after")], 0, True)
    kinesis.merge_shards(
        StreamName="s", ShardToMerge=shards["1"]["ShardId"],
        AdjacentShardToMerge=shards["2"]["ShardId"],
    )  # fmt: skip
    assert _read(kinesis, put["ShardId"]) == ([("a", b"after")], 0, False)
    put = kinesis.put_record(StreamName="s", PartitionKey="a", Data=b"last")
    assert put["ShardId"].endswith("3")
    assert _read(kinesis, put["ShardId"]) == ([("a", b"last")], 0, True)


def test_a_queue_keeps_its_policies_in_awss_spelling():
    sqs = boto3.client("sqs")
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
    redrive = json.dumps(
        {"deadLetterTargetArn": arn["Attributes"]["QueueArn"], "maxReceiveCount": 5},
        separators=(",", ":"),
    )
    queue = sqs.create_queue(QueueName="q", Attributes={"RedrivePolicy": redrive})["QueueUrl"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny"}]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "60"})
    told = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert told["RedrivePolicy"] == redrive
    assert json.loads(told["Policy"]) == json.loads(policy)
    assert "RedriveAllowPolicy" not in told

    allowed = json.dumps({"redrivePermission": "denyAll"})
    sqs.set_queue_attributes(QueueUrl=dead, Attributes={"RedriveAllowPolicy": allowed})
    for names in (["All"], ["RedriveAllowPolicy"]):
        told = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=names)["Attributes"]
        assert told["RedriveAllowPolicy"] == allowed


def _function(source):
    role = boto3.client("iam").create_role(RoleName="f", AssumeRolePolicyDocument="{}")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.py", source)
    return boto3.client("lambda").create_function(
        FunctionName="f", Runtime="python3.13", Handler="index.handler", Timeout=30,
        Role=role["Role"]["Arn"], Code={"ZipFile": packed.getvalue()},
    )["FunctionArn"]  # fmt: skip


def test_a_function_is_run_and_its_failure_told():
    _function("import os\ndef handler(event, _):\n    return 1 / event['by']\n")
    call = boto3.client("lambda").invoke
    good = call(FunctionName="f", Payload=json.dumps({"by": 4}))
    assert json.load(good["Payload"]) == 0.25 and "FunctionError" not in good
    bad = call(FunctionName="f", Payload=json.dumps({"by": 0}))
    assert bad["FunctionError"]
    assert "ZeroDivisionError" in json.load(bad["Payload"])["errorMessage"]


def test_a_record_that_fails_every_time_is_laid_aside_and_the_others_are_read():
    kinesis, s3 = boto3.client("kinesis"), boto3.client("s3")
    kinesis.create_stream(StreamName="s", ShardCount=1)
    stream = kinesis.describe_stream_summary(StreamName="s")["StreamDescriptionSummary"]
    s3.create_bucket(Bucket="aside")
    mapping = boto3.client("lambda").create_event_source_mapping(
        EventSourceArn=stream["StreamARN"], FunctionName=_function(WATCHER), BatchSize=100,
        StartingPosition="TRIM_HORIZON", MaximumRetryAttempts=1, BisectBatchOnFunctionError=True,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        DestinationConfig={"OnFailure": {"Destination": "arn:aws:s3:::aside"}},
    )  # fmt: skip
    for data in (b"good", b"bad", b"good"):
        kinesis.put_record(StreamName="s", PartitionKey="k", Data=data)

    [kept] = _until(lambda: s3.list_objects_v2(Bucket="aside").get("Contents"))
    assert kept["Key"].startswith(f"aws/lambda/{mapping['UUID']}/shardId-000000000000/")
    note = json.load(s3.get_object(Bucket="aside", Key=kept["Key"])["Body"])
    assert note["requestContext"]["approximateInvokeCount"] == 2
    [record] = json.loads(note["payload"])["Records"]
    assert record["kinesis"]["data"] == "YmFk"

    logs = boto3.client("logs")
    told = _until(lambda: logs.filter_log_events(logGroupName="/aws/lambda/f")["events"])
    assert told[-1]["message"].startswith("read 1"), "the record behind the bad one"
    boto3.client("lambda").delete_event_source_mapping(UUID=mapping["UUID"])


def test_backups_are_replicated_into_another_region_once():
    rds = boto3.client("rds")
    database = rds.create_db_instance(
        DBInstanceIdentifier="d", DBInstanceClass="db.t4g.micro", Engine="postgres",
        MasterUsername="drydock", MasterUserPassword="not-a-secret", AllocatedStorage=20,
        BackupRetentionPeriod=7,
    )["DBInstance"]  # fmt: skip
    calls = {action: call for (_, action), call in rds_backups.operations().items()}
    away, source = Context("us-west-2"), {"SourceDBInstanceArn": database["DBInstanceArn"]}
    start, describe = (
        calls["StartDBInstanceAutomatedBackupsReplication"],
        calls["DescribeDBInstanceAutomatedBackups"],
    )
    made = start(away, {**source, "BackupRetentionPeriod": 5})["DBInstanceAutomatedBackup"]
    key = {"DBInstanceAutomatedBackupsArn": made["DBInstanceAutomatedBackupsArn"]}
    assert describe(away, key)["DBInstanceAutomatedBackups"] == [made]
    assert (made["Status"], made["Region"], made["BackupRetentionPeriod"]) == (
        "replicating", "us-east-1", 5,
    )  # fmt: skip
    with pytest.raises(ApiError, match="already"):
        start(away, source)
    with pytest.raises(ApiError, match="itself"):
        start(Context("us-east-1"), source)
    with pytest.raises(ApiError, match="not found"):
        start(away, {"SourceDBInstanceArn": database["DBInstanceArn"] + "x"})
    with pytest.raises(ApiError, match="still"):
        calls["DeleteDBInstanceAutomatedBackup"](away, key)
    calls["StopDBInstanceAutomatedBackupsReplication"](away, source)
    calls["DeleteDBInstanceAutomatedBackup"](away, key)
    with pytest.raises(ApiError, match="no automated backup"):
        describe(away, key)


@pytest.fixture
def quick_switches():
    """Threads give way to each other as often as can be."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_records_that_come_at_once_each_get_a_number(quick_switches):
    kinesis = boto3.client("kinesis")
    kinesis.create_stream(StreamName="s", ShardCount=1)
    stream = get_backend("kinesis")[ACCOUNT_ID]["us-east-1"].streams["s"]
    with ThreadPoolExecutor(8) as many:
        list(many.map(lambda number: stream.put_record("a", None, f"{number:04}"), range(2000)))
    (shard,) = stream.shards.values()
    assert sorted(record.data for record in shard.records.values()) == [
        f"{number:04}" for number in range(2000)
    ]
