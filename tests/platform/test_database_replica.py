"""RDS read replicas, what is measured, and what happens when storage is used up."""

import datetime

import psycopg
import pytest
from botocore.exceptions import ClientError

from .conftest import wait_for
from .postgres import Server, instance


@pytest.fixture(scope="module")
def server(cloud):
    with instance(cloud, MultiAZ=True) as made:
        made.rows("CREATE TABLE kept (n int)")
        yield made


@pytest.fixture(scope="module")
def replica(cloud, server):
    made = Server(cloud, f"{server.name}-r")
    made.rds.create_db_instance_read_replica(
        DBInstanceIdentifier=made.name, SourceDBInstanceIdentifier=server.name
    )
    made.secret = server.secret  # the replica's users are its source's
    made.wait()
    yield made
    made.rds.delete_db_instance(DBInstanceIdentifier=made.name, SkipFinalSnapshot=True)
    made.rds.get_waiter("db_instance_deleted").wait(
        DBInstanceIdentifier=made.name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )


def latest(cloud, name: str, dimension: str, value: str) -> float | None:
    """The newest value of a metric in the last ten seconds."""
    now = datetime.datetime.now(datetime.UTC)
    found = cloud.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/RDS",
        MetricName=name,
        Dimensions=[{"Name": dimension, "Value": value}],
        StartTime=now - datetime.timedelta(seconds=10),
        EndTime=now,
        Period=1,
        Statistics=["Maximum"],
    )["Datapoints"]
    return max(found, key=lambda one: one["Timestamp"])["Maximum"] if found else None


def has(replica, number: int) -> None:
    wait_for(
        lambda: replica.answers("SELECT max(n) FROM kept", [(number,)]),
        40,
        f"row {number} is at the replica",
    )


def test_a_replica_follows_and_is_only_read(server, replica):
    server.rows("INSERT INTO kept VALUES (1)")
    has(replica, 1)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        replica.rows("INSERT INTO kept VALUES (2)")
    described = server.describe()
    assert described["ReadReplicaDBInstanceIdentifiers"] == [replica.name]
    assert replica.describe()["ReadReplicaSourceDBInstanceIdentifier"] == server.name
    assert replica.describe()["Endpoint"] != described["Endpoint"]
    [(synchronous,)] = server.rows(
        "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
    )
    assert synchronous == 1  # the standby; commits don't wait for the replica


def test_a_replica_follows_its_source_through_a_failover(server, replica):
    before = server.node()["id"]
    server.rds.reboot_db_instance(DBInstanceIdentifier=server.name, ForceFailover=True)
    wait_for(lambda: server.node()["id"] != before, 30, "another node is the primary")
    server.wait()
    server.rows("INSERT INTO kept VALUES (3)")
    has(replica, 3)


def test_a_replica_that_stops_to_replay_lags(cloud, server, replica):
    wait_for(
        lambda: latest(cloud, "ReplicaLag", "DBInstanceIdentifier", replica.name) == 0,
        20,
        "no lag",
    )
    # rds_superuser may not hold the replay up, so the server's own account does.
    hold, release = (
        ["psql", "-h", "/part", "-U", "rdsadmin", "-d", "postgres", "-c", f"SELECT {function}()"]
        for function in ("pg_wal_replay_pause", "pg_wal_replay_resume")
    )
    part = replica.part("replica").name
    assert cloud.podman.execute(part, hold, user="postgres").code == 0
    server.rows("INSERT INTO kept VALUES (4)")
    wait_for(
        lambda: (latest(cloud, "ReplicaLag", "DBInstanceIdentifier", replica.name) or 0) > 2,
        20,
        "lag is measured",
    )
    assert cloud.podman.execute(part, release, user="postgres").code == 0
    has(replica, 4)


def test_what_is_measured_is_there(cloud, server):
    def value(name: str) -> float | None:
        return latest(cloud, name, "DBInstanceIdentifier", server.name)

    wait_for(lambda: value("DatabaseConnections") == 0, 20, "the cloud's own do not count")
    with server.connect(), server.connect():
        wait_for(lambda: value("DatabaseConnections") == 2, 10, "connections are counted")
    assert 0 <= value("CPUUtilization") <= 100
    assert 0.5 * 2**30 < value("FreeableMemory") < 2**30
    assert 19 * 2**30 < value("FreeStorageSpace") < 20 * 2**30
    assert value("ReplicaLag") is None


def test_full_storage_stops_the_instance_until_there_is_room(cloud, server):
    folder = cloud.settings.folder("parts", "database", server.node()["id"])
    with (folder / "filler").open("wb") as file:
        file.truncate(20 * 2**30)
    server.wait("storage-full")
    with pytest.raises(psycopg.OperationalError):
        server.rows("INSERT INTO kept VALUES (5)")
    with pytest.raises(ClientError, match="InvalidDBInstanceState"):
        server.rds.reboot_db_instance(DBInstanceIdentifier=server.name)
    assert latest(cloud, "FreeStorageSpace", "DBInstanceIdentifier", server.name) == 0
    (folder / "filler").unlink()
    server.wait()
    server.rows("INSERT INTO kept VALUES (6)")
    assert "storage has been exhausted" in server.messages()[-1]


def test_a_promoted_replica_goes_its_own_way(server, replica):
    replica.rds.promote_read_replica(DBInstanceIdentifier=replica.name)
    replica.wait()
    replica.rows("INSERT INTO kept VALUES (7)")
    assert server.rows("SELECT n FROM kept WHERE n = 7") == []
    assert server.describe()["ReadReplicaDBInstanceIdentifiers"] == []
    assert "ReadReplicaSourceDBInstanceIdentifier" not in replica.describe()
    with pytest.raises(ClientError, match="not a read replica"):
        replica.rds.promote_read_replica(DBInstanceIdentifier=replica.name)
