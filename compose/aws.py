"""moto on port 5000, with what Terraform makes: stream, leases, dead letters, a login.

Run by compose.yaml, whose variables say where moto is and what the login holds. moto keeps all in
memory, so that each start begins anew. /tmp/ready is there once everything is.
"""

import json
import os
import signal
from pathlib import Path

import boto3
from moto.server import ThreadedMotoServer

NAME = "drydock-compose"


def make() -> None:
    """All of them."""
    kinesis, dynamodb, sqs, secrets = map(
        boto3.client, ("kinesis", "dynamodb", "sqs", "secretsmanager")
    )
    events = f"{NAME}-events"
    kinesis.create_stream(StreamName=events, ShardCount=1)
    dynamodb.create_table(
        TableName=f"{events}-leases",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
    )
    sqs.create_queue(QueueName=f"{events}-retry-dead")
    login = {
        "username": os.environ["DATABASE_USER"],
        "password": os.environ["DATABASE_PASSWORD"],
    }
    secrets.create_secret(Name=f"{NAME}-database", SecretString=json.dumps(login))
    kinesis.get_waiter("stream_exists").wait(StreamName=events)


def main() -> None:
    """Serves until it is told to end."""
    ends = {signal.SIGTERM, signal.SIGINT}
    # Before there are threads, which inherit it: the first process of a container gets no default.
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    server = ThreadedMotoServer("0.0.0.0", 5000)  # noqa: S104 - of a container's own network
    server.start()
    make()
    Path("/tmp/ready").touch()  # noqa: S108 - the container's own
    signal.sigwait(ends)
    server.stop()


if __name__ == "__main__":
    main()
