"""The pipeline of events as a drill uses it: publishes slots, and sees what became of them."""

# ruff: noqa: S101 (a drill says by an assert what is wrong, as a test does)

import datetime
import json
import secrets
from dataclasses import dataclass, field

from .drill import Platform

STREAM = "drydock-local-events"
QUEUE = "drydock-local-events-retry-dead"
FIRST_SLOT = 10**12  # beyond every slot that a listener tells of


@dataclass
class Events:
    """Events of a key of the drill's own."""

    platform: Platform
    key: str = field(default_factory=lambda: f"drill-{secrets.token_hex(4)}")
    published: int = 0

    def publish(self, number: int) -> None:
        """Puts so many slots into the stream, as apps/listener does."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        rows = [
            {
                "schema_version": 1,
                "id": f"{self.key}:{slot}",
                "source": "solana",
                "type": "slot",
                "key": self.key,
                "slot": slot,
                "time": now,
                "traceparent": f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00",
                "payload": {"parent": slot - 1, "root": slot - 32},
            }
            for slot in range(FIRST_SLOT + self.published, FIRST_SLOT + self.published + number)
        ]
        self.published += number
        answer = self.platform.cloud.client("kinesis").put_records(
            StreamName=STREAM,
            Records=[{"Data": json.dumps(row).encode(), "PartitionKey": self.key} for row in rows],
        )
        assert answer["FailedRecordCount"] == 0

    def applied(self) -> int:
        """How many of them have had their effect; an effect that was had twice counts twice."""
        told = self.sql(f"SELECT events FROM events.accounts WHERE key = '{self.key}'")  # noqa: S608
        return int(told or 0)

    def sql(self, statement: str) -> str:
        """What PostgreSQL answers on the database's primary."""
        database = self.platform.database()
        shown = {row["id"]: row for row in self.platform.cloud.status()["databases"]}
        nodes = shown[database["DBInstanceIdentifier"]]["nodes"]
        (primary,) = [node["id"] for node in nodes if node["role"] == "primary"]
        podman = self.platform.cloud.podman
        done = podman.execute(
            podman.part_name("database", primary),
            ["psql", "--host=/part", "--username=rdsadmin", "--tuples-only", "--no-align",
             f"--command={statement}", database["DBName"]],
            user="postgres",
        )  # fmt: skip
        assert done.code == 0, done.stderr
        return done.stdout.strip()

    def letters(self) -> int:
        """How many dead letters can be received."""
        sqs = self.platform.cloud.client("sqs")
        name = "ApproximateNumberOfMessages"
        told = sqs.get_queue_attributes(
            QueueUrl=sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"], AttributeNames=[name]
        )
        return int(told["Attributes"][name])
