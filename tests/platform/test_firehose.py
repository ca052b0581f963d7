"""Firehose end to end: what is put into a Kinesis stream is found in a bucket, each record once."""

import datetime
import gzip
import json
import re
import uuid
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from botocore.exceptions import ClientError

from tests.platform.conftest import Cloud, wait_for

SHARDS = 2
KEYS = ("a", "b", "c", "d", "e", "f")  # of both shards
INTERVAL = 60  # seconds of AWS's: five here, at the scale of the cloud that is tested
NEVER = 900  # over a minute here
PATIENCE = 50  # less than that, and ten times the interval
ROLE = "arn:aws:iam::123456789012:role/tests"
KEY = re.compile(
    r"events/dt=(\d{4})-(\d\d)-(\d\d)/hour=(\d\d)/"
    r"([a-z0-9-]+)-1-\1-\2-\3-\4-\d\d-\d\d-[0-9a-f-]{36}\.json\.gz"
)


@dataclass
class Lake:
    """A stream, a bucket, and a delivery from one to the other; all of one name.

    Attributes:
        published: how many records each key has got; they are numbered from 0.
    """

    cloud: Cloud
    name: str
    published: dict[str, int]

    def make_bucket(self) -> None:
        self.cloud.client("s3").create_bucket(Bucket=self.name)

    def deliver(self, seconds: int, source: str) -> None:
        """Makes the delivery stream as terraform/modules/data_lake does."""
        delimiter = {"ParameterName": "Delimiter", "ParameterValue": r"\n"}
        self.cloud.client("firehose").create_delivery_stream(
            DeliveryStreamName=self.name,
            DeliveryStreamType="KinesisStreamAsSource",
            KinesisStreamSourceConfiguration={"KinesisStreamARN": source, "RoleARN": ROLE},
            ExtendedS3DestinationConfiguration={
                "RoleARN": ROLE,
                "BucketARN": f"arn:aws:s3:::{self.name}",
                "Prefix": "events/dt=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/",
                "ErrorOutputPrefix": "errors/!{firehose:error-output-type}/",
                "FileExtension": ".json.gz",
                "CompressionFormat": "GZIP",
                "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": seconds},
                "CloudWatchLoggingOptions": {
                    "Enabled": True, "LogGroupName": self.name, "LogStreamName": "delivery",
                },
                "ProcessingConfiguration": {
                    "Enabled": True,
                    "Processors": [{"Type": "AppendDelimiterToRecord", "Parameters": [delimiter]}],
                },
            },
        )  # fmt: skip

    def publish(self, number: int, padding: int = 0) -> None:
        """Puts so many records for each key."""
        for _ in range(number):
            rows = [{"key": key, "number": self.published.get(key, 0), "x": "x" * padding}
                    for key in KEYS]  # fmt: skip
            answer = self.cloud.client("kinesis").put_records(
                StreamName=self.name,
                Records=[
                    {"Data": json.dumps(row).encode(), "PartitionKey": row["key"]} for row in rows
                ],
            )
            assert answer["FailedRecordCount"] == 0
            for row in rows:
                self.published[row["key"]] = row["number"] + 1

    def objects(self) -> dict[str, list[dict]]:
        """Object's key → the rows in it, in their order; of a bucket that is not there: none."""
        s3 = self.cloud.client("s3")
        try:
            found = s3.list_objects_v2(Bucket=self.name).get("Contents", [])
        except ClientError as error:
            assert error.response["Error"]["Code"] == "NoSuchBucket"
            return {}
        return {
            one["Key"]: [
                json.loads(line)
                for line in gzip.decompress(
                    s3.get_object(Bucket=self.name, Key=one["Key"])["Body"].read()
                ).splitlines()
            ]
            for one in found
        }

    def rows(self) -> int:
        return sum(map(len, self.objects().values()))

    def all_there(self) -> dict[str, list[dict]]:
        """Waits until so many rows as were published are in the bucket, and holds that they are
        those: each once, and in the order of their shard."""
        wanted = sum(self.published.values())
        wait_for(lambda: self.rows() >= wanted, PATIENCE, f"{wanted} rows are in {self.name}")
        found = self.objects()
        runs = defaultdict(list)
        for rows in found.values():
            for key in KEYS:
                if run := [row["number"] for row in rows if row["key"] == key]:
                    runs[key].append(run)
        for key, number in self.published.items():
            # In one second two objects' names don't tell which was first; their numbers do.
            told = [one for run in sorted(runs[key]) for one in run]
            assert told == list(range(number)), f"{key} in {self.name}"
        return found

    def away(self) -> None:
        """Removes bucket, stream and delivery, whichever there is."""
        firehose, kinesis = self.cloud.client("firehose"), self.cloud.client("kinesis")
        if self.name in firehose.list_delivery_streams(Limit=50)["DeliveryStreamNames"]:
            firehose.delete_delivery_stream(DeliveryStreamName=self.name)
        kinesis.delete_stream(StreamName=self.name)
        s3 = self.cloud.client("s3")
        for key in self.objects():
            s3.delete_object(Bucket=self.name, Key=key)
        if self.name in [one["Name"] for one in s3.list_buckets()["Buckets"]]:
            s3.delete_bucket(Bucket=self.name)


@pytest.fixture
def make(cloud: Cloud) -> Iterator:
    """Makes lakes; seconds None: one without a delivery."""
    made: list[Lake] = []

    def lake(seconds: int | None = INTERVAL) -> Lake:
        one = Lake(cloud, f"tests-{uuid.uuid4().hex[:8]}", {})
        kinesis, logs = cloud.client("kinesis"), cloud.client("logs")
        kinesis.create_stream(StreamName=one.name, ShardCount=SHARDS)
        made.append(one)
        source = kinesis.describe_stream_summary(StreamName=one.name)
        one.make_bucket()
        logs.create_log_group(logGroupName=one.name)
        logs.create_log_stream(logGroupName=one.name, logStreamName="delivery")
        if seconds is not None:
            one.deliver(seconds, source["StreamDescriptionSummary"]["StreamARN"])
        return one

    yield lake
    for one in made:
        one.away()
        cloud.client("logs").delete_log_group(logGroupName=one.name)


def _sum(cloud: Cloud, name: str, metric: str) -> float:
    """A metric's sum of the last minutes."""
    now = datetime.datetime.now(datetime.UTC)
    found = cloud.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Firehose",
        MetricName=metric,
        Dimensions=[{"Name": "DeliveryStreamName", "Value": name}],
        StartTime=now - datetime.timedelta(minutes=30),
        EndTime=now + datetime.timedelta(minutes=1),
        Period=3600,
        Statistics=["Sum"],
    )
    return sum(point["Sum"] for point in found["Datapoints"])


def test_every_record_is_in_the_bucket_once_and_in_its_shard_s_order(cloud: Cloud, make) -> None:
    lake, undelivered = make(), make(None)
    for one in (lake, undelivered):
        one.publish(20)
    lake.all_there()
    # More, over as many objects as the clock makes of it.
    lake.publish(20)
    lake.all_there()
    lake.publish(1)
    found = lake.all_there()
    assert len(found) > 1
    for key in found:
        named = KEY.fullmatch(key)
        assert named and named[5] == lake.name, key
    # Nothing comes of a stream that nothing is delivered of, however long it waits.
    assert undelivered.objects() == {}
    total = sum(lake.published.values())
    for metric in ("DataReadFromKinesisStream.Records", "DeliveryToS3.Records"):
        wait_for(lambda name=metric: _sum(cloud, lake.name, name) == total, 30, metric)
    assert _sum(cloud, lake.name, "DeliveryToS3.Success") == len(found)


def test_as_much_as_fills_an_object_does_not_wait(make) -> None:
    lake = make(NEVER)
    lake.publish(3, padding=100_000)
    # 6 records a round of a good 100,000 bytes: the eleventh passes a mebibyte.
    wait_for(
        lambda: 11 in map(len, lake.objects().values()),
        PATIENCE,
        "a mebibyte is an object",
    )


def test_a_bucket_that_is_away_for_a_while_loses_nothing(cloud: Cloud, make) -> None:
    lake = make()
    cloud.client("s3").delete_bucket(Bucket=lake.name)
    lake.publish(10)

    def failures() -> list[str]:
        events = cloud.client("logs").get_log_events(
            logGroupName=lake.name, logStreamName="delivery"
        )["events"]
        return [json.loads(event["message"])["errorCode"] for event in events]

    wait_for(failures, PATIENCE, "the failure is told")
    assert failures() == ["S3.NoSuchBucket"]
    lake.publish(10)
    wait_for(
        lambda: (
            _sum(cloud, lake.name, "DataReadFromKinesisStream.Records")
            == sum(lake.published.values())
        ),
        30,
        "what came meanwhile is taken too",
    )
    assert _sum(cloud, lake.name, "DeliveryToS3.Success") == 0
    lake.make_bucket()
    lake.all_there()
    lake.publish(1)
    lake.all_there()


def test_shards_that_are_split_go_on_into_the_bucket(cloud: Cloud, make) -> None:
    lake = make()
    lake.publish(10)
    cloud.client("kinesis").update_shard_count(
        StreamName=lake.name, TargetShardCount=2 * SHARDS, ScalingType="UNIFORM_SCALING"
    )
    lake.publish(10)
    lake.all_there()


def test_what_would_change_records_is_refused(cloud: Cloud, make) -> None:
    lake = make()
    with pytest.raises(ClientError, match="CompressionFormat Snappy") as refused:
        cloud.client("firehose").update_destination(
            DeliveryStreamName=lake.name,
            CurrentDeliveryStreamVersionId="1",
            DestinationId="destinationId-000000000001",
            ExtendedS3DestinationUpdate={"CompressionFormat": "Snappy"},
        )
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    lake.publish(1)
    lake.all_there()
