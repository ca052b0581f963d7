"""Makes in AWS what Terraform makes for the workloads: stream, leases, dead letters, a secret.

Run by compose.yaml, where AWS is found by the environment. What exists is left as it is.
"""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import boto3

NAME = "drydock-compose"


def make(client: Any, operation: Callable[..., Any], exists: str, **arguments: Any) -> None:
    """Calls `operation`; that the thing exists, which AWS calls `exists`, is as good."""
    with suppress(getattr(client.exceptions, exists)):
        operation(**arguments)


def main() -> None:
    """All of them."""
    kinesis, dynamodb, sqs, secrets = map(
        boto3.client, ("kinesis", "dynamodb", "sqs", "secretsmanager")
    )
    events = f"{NAME}-events"
    make(kinesis, kinesis.create_stream, "ResourceInUseException", StreamName=events, ShardCount=1)
    make(
        dynamodb, dynamodb.create_table, "ResourceInUseException",
        TableName=f"{events}-leases",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
    )  # fmt: skip
    sqs.create_queue(QueueName=f"{events}-retry-dead")
    login = {
        "username": os.environ["DATABASE_USER"],
        "password": os.environ["DATABASE_PASSWORD"],
    }
    make(
        secrets, secrets.create_secret, "ResourceExistsException",
        Name=f"{NAME}-database", SecretString=json.dumps(login),
    )  # fmt: skip
    kinesis.get_waiter("stream_exists").wait(StreamName=events)


if __name__ == "__main__":
    main()
