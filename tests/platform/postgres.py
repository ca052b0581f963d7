"""PostgreSQL instances of the tests' own, reached as a client would: over TCP, by endpoint."""

import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from .conftest import Cloud, wait_for

_SECONDS = 60


class Server:
    """One instance."""

    def __init__(self, cloud: Cloud, name: str):
        self.cloud, self.name, self.rds = cloud, name, cloud.client("rds")

    def describe(self) -> dict:
        return self.rds.describe_db_instances(DBInstanceIdentifier=self.name)["DBInstances"][0]

    def wait(self, status: str = "available") -> dict:
        wait_for(
            lambda: self.describe()["DBInstanceStatus"] == status, _SECONDS, f"{self.name} {status}"
        )
        return self.describe()

    def node(self, role: str = "primary") -> dict | None:
        """The node that has a role now, as ``drydock status`` shows it."""
        return next((n for n in self.shown["nodes"] if n["role"] == role), None)

    def part(self, role: str = "primary"):
        node = self.node(role)
        [part] = [p for p in self.cloud.podman.parts("database") if p.id == node["id"]]
        return part

    @property
    def container(self):
        return self.part()

    @property
    def shown(self) -> dict:
        """What ``drydock status`` says of it."""
        return {row["id"]: row for row in self.cloud.status()["databases"]}[self.name]

    def secret(self) -> dict:
        arn = self.describe()["MasterUserSecret"]["SecretArn"]
        return json.loads(
            self.cloud.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
        )

    def psql(self, sql: str, *, ssl: str = "require", password: str | None = None, user: str = ""):
        endpoint, secret = self.describe()["Endpoint"], self.secret()
        url = (
            f"host={endpoint['Address']} port={endpoint['Port']} dbname=app "
            f"user={user or secret['username']} sslmode={ssl} connect_timeout=5"
        )
        # The password is the first line of the input: never on a command line.
        script = 'IFS= read -r PGPASSWORD; export PGPASSWORD; exec psql -XqAt -c "$1" "$2"'
        return self.cloud.podman.execute(
            self.container.name,
            ["sh", "-c", script, "psql", sql, url],
            stdin=f"{password or secret['password']}\n",
        )

    def value(self, sql: str) -> str:
        done = self.psql(sql)
        if done.code:
            pytest.fail(done.stderr)
        return done.stdout.strip()

    def connect(self, *, host: str = "", password: str = "", **named: Any) -> psycopg.Connection:
        """As the master user, by the instance's endpoint or another host's."""
        endpoint = self.describe()["Endpoint"]
        return psycopg.connect(
            host=host or endpoint["Address"],
            port=endpoint["Port"],
            user="captain",
            password=password or self.secret()["password"],
            dbname="app",
            autocommit=True,
            **{
                "sslmode": "verify-full",
                "sslrootcert": str(self.cloud.settings.home / "ca" / "ca.pem"),
                "connect_timeout": 3,
                **named,
            },
        )

    def rows(self, sql: str, **named: Any) -> list[tuple]:
        with self.connect(**named) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def answers(self, sql: str, wanted: list[tuple], **named: Any) -> bool:
        """Whether a question has this answer now; False also while nobody answers."""
        try:
            return self.rows(sql, **named) == wanted
        except psycopg.Error:
            return False

    def messages(self) -> list[str]:
        """What RDS's events say of it, oldest first."""
        events = self.rds.describe_events(SourceIdentifier=self.name, SourceType="db-instance")
        return [event["Message"] for event in events["Events"]]


@contextmanager
def instance(cloud: Cloud, **given: Any) -> Iterator[Server]:
    """An instance in the tests' VPC, with a group of parameters; nothing is left of it."""
    rds, name = cloud.client("rds"), f"test-{uuid.uuid4().hex[:6]}"
    rds.create_db_subnet_group(
        DBSubnetGroupName=name,
        DBSubnetGroupDescription="tests",
        SubnetIds=cloud.vpc.private_subnets,
    )
    rds.create_db_parameter_group(
        DBParameterGroupName=name, DBParameterGroupFamily="postgres17", Description="tests"
    )
    made = Server(cloud, name)
    made.set_parameter = lambda key, value: rds.modify_db_parameter_group(
        DBParameterGroupName=name,
        Parameters=[{"ParameterName": key, "ParameterValue": value, "ApplyMethod": "immediate"}],
    )
    for key, value in given.pop("parameters", {}).items():
        made.set_parameter(key, value)
    created = rds.create_db_instance(
        DBInstanceIdentifier=name,
        Engine="postgres",
        EngineVersion="17.4",
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage=20,
        BackupRetentionPeriod=1,
        DBName="app",
        MasterUsername="captain",
        ManageMasterUserPassword=True,
        DBSubnetGroupName=name,
        DBParameterGroupName=name,
        **given,
    )["DBInstance"]
    if created["DBInstanceStatus"] != "creating" or "Endpoint" in created:
        pytest.fail(f"{name} is there before it is made: {created}")
    made.wait()
    yield made
    rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    rds.get_waiter("db_instance_deleted").wait(
        DBInstanceIdentifier=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    left = [part.name for part in cloud.podman.parts("database") if name in part.id]
    left += list(cloud.settings.folder("parts", "database").glob(f"*{name}*"))
    if left:
        pytest.fail(f"left of {name}: {left}")
    rds.delete_db_parameter_group(DBParameterGroupName=name)
    rds.delete_db_subnet_group(DBSubnetGroupName=name)


class Load:
    """Clients that write rows without pause and remember what was acknowledged.

    Attributes:
        acknowledged: numbers whose INSERT the server has confirmed.
        outages: seconds between two confirmations of one client, where more than one.
    """

    def __init__(self, server: Server, host: str = "", clients: int = 4):
        self._server, self._host, self._clients = server, host, clients
        self._secret, self._address = server.secret(), server.describe()["Endpoint"]["Address"]
        self.acknowledged: list[int] = []
        self.outages: list[float] = []
        self._ended = threading.Event()
        server.rows("CREATE TABLE IF NOT EXISTS written (n bigint PRIMARY KEY)")
        [(self._first,)] = server.rows("SELECT coalesce(max(n), 0) + 1 FROM written")

    def __enter__(self) -> "Load":
        self._threads = [
            threading.Thread(target=self._write, args=(self._first + client,))
            for client in range(self._clients)
        ]
        for thread in self._threads:
            thread.start()
        self.more()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def more(self, rows: int = 50, seconds: float = 40) -> None:
        """Waits until so many more rows have been acknowledged."""
        aim = len(self.acknowledged) + rows
        wait_for(lambda: len(self.acknowledged) >= aim, seconds, "writes are acknowledged")

    def lost(self) -> set[int]:
        """Rows that were acknowledged and are not there."""
        return set(self.acknowledged) - {n for (n,) in self._server.rows("SELECT n FROM written")}

    def _write(self, number: int) -> None:
        connection, last = None, time.monotonic()
        while not self._ended.is_set():
            try:
                connection = connection or psycopg.connect(
                    host=self._host or self._address,
                    user=self._secret["username"],
                    password=self._secret["password"],
                    dbname="app",
                    sslmode="require",
                    autocommit=True,
                    connect_timeout=2,
                    tcp_user_timeout=2000,
                    keepalives_idle=1,
                    keepalives_interval=1,
                    keepalives_count=2,
                )
                connection.execute("INSERT INTO written VALUES (%s)", (number,))
                self.acknowledged.append(number)
                now = time.monotonic()
                if now - last > 1:
                    self.outages.append(now - last)
                last = now
            except psycopg.Error:
                if connection:
                    connection.close()
                connection = None
                self._ended.wait(0.05)
            number += self._clients  # an unconfirmed one may be there or not
