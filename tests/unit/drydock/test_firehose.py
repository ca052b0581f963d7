"""Firehose: what it writes, under which key, when, and what becomes of it where S3 refuses."""

import gzip
import json
import re
from dataclasses import replace

import boto3
import pytest
from moto import mock_aws

from drydock.controller import Cloud
from drydock.controllers import firehose_names
from drydock.controllers.firehose import FirehoseController
from drydock.errors import ApiError
from drydock.moto import firehose, patches
from drydock.moto.api import PASS, Context
from drydock.podman import Podman
from drydock.settings import Settings

NOON = 1_800_014_400.5  # 2027-01-15 12:00:00 UTC
LATER = 900  # seconds that no test waits
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@pytest.fixture(scope="module", autouse=True)
def patched():
    patches.apply()


@pytest.fixture
def controller(monkeypatch, tmp_path):
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    settings = Settings(tmp_path, 4001, 4002)
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="lake")
        boto3.client("kinesis").create_stream(StreamName="s", ShardCount=1)
        yield FirehoseController(Cloud(settings, Podman(settings)))


def _make(seconds=0, **more):
    role = "arn:aws:iam::123456789012:role/lake"
    boto3.client("firehose").create_delivery_stream(
        DeliveryStreamName="d",
        DeliveryStreamType="KinesisStreamAsSource",
        KinesisStreamSourceConfiguration={
            "KinesisStreamARN": "arn:aws:kinesis:us-east-1:123456789012:stream/s", "RoleARN": role
        },
        ExtendedS3DestinationConfiguration={
            "RoleARN": role, "BucketARN": "arn:aws:s3:::lake",
            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": seconds}, **more,
        },
    )  # fmt: skip


def _put(*texts):
    kinesis = boto3.client("kinesis")
    for text in texts:
        kinesis.put_record(StreamName="s", PartitionKey="a", Data=text.encode())


def _lines(*names):
    parameters = [{"ParameterName": "Delimiter", "ParameterValue": r"\n"}] if names else []
    return {
        "Enabled": True,
        "Processors": [{"Type": name, "Parameters": parameters} for name in names],
    }


def _objects():
    """Key → content of all that is in the bucket."""
    s3 = boto3.client("s3")
    return {
        one["Key"]: s3.get_object(Bucket="lake", Key=one["Key"])["Body"].read()
        for one in s3.list_objects_v2(Bucket="lake").get("Contents", [])
    }


def _told(controller):
    """(name, value) of what was measured since the last call, without ages."""
    return [
        (datum.name, *datum.values)
        for datum in controller.cloud.metrics.take()
        if not datum.name.endswith("DataFreshness")
    ]


def _delivery(**changes):
    _make()
    (made,) = firehose.deliveries()
    return replace(made, destination=replace(made.destination, **changes))


@pytest.mark.parametrize(
    ("prefix", "evaluated"),
    [
        ("", "2027/01/15/12/"),
        ("raw-", "raw-2027/01/15/12/"),
        ("e/dt=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/", "e/dt=2027-01-15/hour=12/"),
        ("!{timestamp:yyyy'%Y''s'mmss}", "2027%Y's0000"),
        ("!{timestamp:''}", "'"),
    ],
)
def test_a_key_is_prefix_name_version_time_and_a_uuid(controller, prefix, evaluated):
    made = firehose_names.key(_delivery(prefix=prefix, extension=".gz"), NOON)
    assert re.fullmatch(re.escape(evaluated) + rf"d-1-2027-01-15-12-00-00-{UUID}\.gz", made)


def test_expressions_that_are_not_evaluated_are_named():
    known = "a/!{timestamp:yyyy/MM/dd'T'HH}/"
    strange = ["!{timestamp:YYYY}", "!{timestamp:MMM}", "!{timestamp:yyyy'}",
               "!{firehose:random-string}", "!{partitionKeyFromQuery:x}"]  # fmt: skip
    assert firehose_names.unknown(known + "/".join(strange)) == strange


def test_records_are_delivered_once_and_from_the_delivery_stream_s_beginning(controller):
    _put("before")
    _make(ProcessingConfiguration=_lines("AppendDelimiterToRecord"), CompressionFormat="GZIP")
    _put("one", "two")
    controller.reconcile()
    controller.reconcile()
    ((key, content),) = _objects().items()
    assert key.endswith(".gz")
    assert gzip.decompress(content) == b"one\ntwo\n"
    assert _told(controller) == [
        ("DataReadFromKinesisStream.Records", 2), ("DataReadFromKinesisStream.Bytes", 6),
        ("DeliveryToS3.Records", 2), ("DeliveryToS3.Bytes", len(content)),
        ("DeliveryToS3.Success", 1),
    ]  # fmt: skip
    _put("three")
    controller.reconcile()
    assert sorted(map(gzip.decompress, _objects().values())) == [b"one\ntwo\n", b"three\n"]


def test_without_a_processor_nothing_is_between_records(controller):
    _make()
    _put("one", "two")
    controller.reconcile()
    assert list(_objects().values()) == [b"onetwo"]


def test_what_is_young_and_small_waits(controller):
    _make(LATER)
    _put("small")
    controller.reconcile()
    assert _objects() == {}
    _put("x" * 600_000, "y" * 600_000, "rest")
    controller.reconcile()
    assert [(content[:5], content[-1:]) for content in _objects().values()] == [(b"small", b"y")]
    boto3.client("firehose").update_destination(
        DeliveryStreamName="d", CurrentDeliveryStreamVersionId="1",
        DestinationId="destinationId-000000000001",
        ExtendedS3DestinationUpdate={"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0}},
    )  # fmt: skip
    controller.reconcile()
    assert [content for key, content in _objects().items() if "/d-2-" in key] == [b"rest"]


def test_a_shard_s_records_come_before_those_of_the_shards_it_was_split_into(controller):
    _make()
    _put("1", "2")
    boto3.client("kinesis").update_shard_count(
        StreamName="s", TargetShardCount=2, ScalingType="UNIFORM_SCALING"
    )
    _put("3", "4")
    controller.reconcile()
    assert list(_objects().values()) == [b"1234"]


def test_a_stream_that_is_made_anew_is_read_anew(controller):
    _make()
    _put("1", "2")
    controller.reconcile()
    kinesis = boto3.client("kinesis")
    kinesis.delete_stream(StreamName="s")
    controller.reconcile()
    kinesis.create_stream(StreamName="s", ShardCount=1)
    _put("3")
    controller.reconcile()
    assert sorted(_objects().values()) == [b"12", b"3"]


def test_what_s3_refuses_is_told_once_and_kept(controller):
    kms, logs = boto3.client("kms"), boto3.client("logs")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="l")
    _make(
        EncryptionConfiguration={"KMSEncryptionConfig": {"AWSKMSKeyARN": key}},
        CloudWatchLoggingOptions={"Enabled": True, "LogGroupName": "g", "LogStreamName": "l"},
    )
    kms.disable_key(KeyId=key.rpartition("/")[2])
    _put("1")
    controller.reconcile()
    _put("2")
    controller.reconcile()
    assert _objects() == {}
    assert [value for name, value in _told(controller) if name == "DeliveryToS3.Success"] == [0, 0]
    events = logs.get_log_events(logGroupName="g", logStreamName="l")["events"]
    (said,) = [json.loads(event["message"]) for event in events]
    assert (said["errorCode"], said["destination"], said["deliveryStreamVersionId"]) == (
        "S3.KMS.DisabledException", "arn:aws:s3:::lake", 1
    )  # fmt: skip
    kms.enable_key(KeyId=key.rpartition("/")[2])
    controller.reconcile()
    ((name, content),) = _objects().items()
    assert content == b"12"
    head = boto3.client("s3").head_object(Bucket="lake", Key=name)
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key)


def test_a_bucket_that_is_gone_for_good_holds_up_no_other_delivery(controller, monkeypatch):
    _make(CloudWatchLoggingOptions={"Enabled": True, "LogGroupName": "g", "LogStreamName": "l"})
    _put("1")
    gone, other = firehose.deliveries()[0], firehose.deliveries()[0]
    gone = replace(gone, arn="gone", destination=replace(gone.destination, bucket="gone"))
    monkeypatch.setattr(firehose, "deliveries", lambda: [gone, other])
    controller.reconcile()
    assert list(_objects().values()) == [b"1"]


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"ProcessingConfiguration": _lines("AppendDelimiterToRecord", "Lambda")},
         "the processor Lambda"),
        ({"Prefix": "!{firehose:random-string}/"}, "the expression !{firehose:random-string}"),
        ({"CompressionFormat": "Snappy"}, "CompressionFormat Snappy"),
        ({"CustomTimeZone": "Asia/Tokyo"}, "CustomTimeZone Asia/Tokyo"),
        ({"S3BackupMode": "Enabled"}, "S3BackupMode Enabled"),
        ({"DynamicPartitioningConfiguration": {"Enabled": True}},
         "DynamicPartitioningConfiguration"),
    ],
)  # fmt: skip
def test_what_is_not_done_to_records_is_refused(controller, more, named):
    create = controller.operations()["firehose", "CreateDeliveryStream"]
    given = {
        "DeliveryStreamName": "d",
        "KinesisStreamSourceConfiguration": {"KinesisStreamARN": "arn"},
        "ExtendedS3DestinationConfiguration": {"BucketARN": "arn:aws:s3:::lake", **more},
    }
    with pytest.raises(ApiError, match=re.escape(f"does not deliver d with {named}: ")) as refused:
        create(Context("us-east-1"), given)
    assert refused.value.status == 501
    # Of a stream that is put into, moto writes what it is given.
    assert create(Context("us-east-1"), given | {"KinesisStreamSourceConfiguration": None}) is PASS
    _make()
    change = {"DeliveryStreamName": "d", "ExtendedS3DestinationUpdate": more}
    with pytest.raises(ApiError, match=re.escape(named)):
        controller.operations()["firehose", "UpdateDestination"](Context("us-east-1"), change)


def test_what_is_done_is_taken(controller):
    fine = {
        "BucketARN": "arn:aws:s3:::lake", "CompressionFormat": "GZIP", "CustomTimeZone": "UTC",
        "S3BackupMode": "Disabled", "Prefix": "dt=!{timestamp:yyyy-MM-dd}/",
        "ProcessingConfiguration": _lines("AppendDelimiterToRecord"),
        "DataFormatConversionConfiguration": {"Enabled": False},
    }  # fmt: skip
    given = {
        "DeliveryStreamName": "d",
        "KinesisStreamSourceConfiguration": {"KinesisStreamARN": "arn"},
        "ExtendedS3DestinationConfiguration": fine,
    }
    create = controller.operations()["firehose", "CreateDeliveryStream"]
    assert create(Context("us-east-1"), given) is PASS
