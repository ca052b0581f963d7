"""RDS Proxy: many clients on few connections, through failovers and rotations."""

import threading
import uuid
from types import SimpleNamespace

import psycopg
import pytest

from drydock.controllers.database.proxy import CONSOLE
from drydock.controllers.database.session import Session

from .conftest import wait_for
from .postgres import Load, instance

_SHARE = 36  # 60 % of 60 connections
_CLIENTS = 300


@pytest.fixture(scope="module")
def server(cloud):
    with instance(cloud, MultiAZ=True, parameters={"max_connections": "60"}) as made:
        yield made


@pytest.fixture(scope="module")
def proxy(cloud, server):
    rds, name = cloud.client("rds"), f"test-{uuid.uuid4().hex[:6]}"
    rds.create_db_proxy(
        DBProxyName=name,
        EngineFamily="POSTGRESQL",
        Auth=[
            {
                "AuthScheme": "SECRETS",
                "IAMAuth": "DISABLED",
                "SecretArn": server.describe()["MasterUserSecret"]["SecretArn"],
            }
        ],
        RoleArn="arn:aws:iam::123456789012:role/tests",
        VpcSubnetIds=cloud.vpc.private_subnets,
        RequireTLS=True,
        Tags=[{"Key": "part", "Value": "tests"}],
    )
    set_share(SimpleNamespace(name=name, rds=rds), 60)
    rds.register_db_proxy_targets(DBProxyName=name, DBInstanceIdentifiers=[server.name])
    made = SimpleNamespace(name=name, rds=rds)
    made.describe = lambda: rds.describe_db_proxies(DBProxyName=name)["DBProxies"][0]
    made.targets = lambda: rds.describe_db_proxy_targets(DBProxyName=name)["Targets"]
    wait_for(lambda: made.describe()["Status"] == "available", 30, f"{name} available")
    made.host = made.describe()["Endpoint"]
    wait_for(
        lambda: [t["TargetHealth"]["State"] for t in made.targets()] == ["AVAILABLE"],
        20,
        "the target is fit",
    )
    yield made
    rds.deregister_db_proxy_targets(DBProxyName=name, DBInstanceIdentifiers=[server.name])
    rds.delete_db_proxy(DBProxyName=name)
    wait_for(lambda: _gone(rds, name), 20, f"{name} is deleted")
    assert not [part for part in cloud.podman.parts("database-proxy") if name in part.id]


def set_share(proxy, percent: int) -> None:
    proxy.rds.modify_db_proxy_target_group(
        DBProxyName=proxy.name,
        TargetGroupName="default",
        ConnectionPoolConfig={"MaxConnectionsPercent": percent, "ConnectionBorrowTimeout": 60},
    )


def in_force(cloud, proxy, setting: str) -> str:
    """A setting of the running pool, from its own console."""
    [shown] = [row for row in cloud.status()["database_proxies"] if row["name"] == proxy.name]
    folder = cloud.settings.folder("parts", "database-proxy", shown["id"])
    with Session(folder, shown["port"], user=CONSOLE, database="pgbouncer") as session:
        return {row[0]: row[1] for row in session.query("SHOW CONFIG")}[setting]


def _gone(rds, name: str) -> bool:
    try:
        rds.describe_db_proxies(DBProxyName=name)
    except rds.exceptions.DBProxyNotFoundFault:
        return True
    return False


def test_tls_on_both_sides_and_only_with_it(server, proxy):
    tls = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    assert server.rows(tls, host=proxy.host) == [(True,)]
    with pytest.raises(psycopg.OperationalError, match="SSL required"):
        server.rows(tls, host=proxy.host, sslmode="disable")
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        server.rows(tls, host=proxy.host, password="wrong")
    for database in ("pgbouncer", "postgres"):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(
                host=proxy.host, user="controller", dbname=database, sslmode="require"
            )  # fmt: skip


def test_prepared_statements_live_through_transaction_pooling(server, proxy):
    # Two clients in turn on one statement each, under one name: as asyncpg's default cache does.
    one, two = (server.connect(host=proxy.host, prepare_threshold=0) for _ in range(2))
    with one, two:
        for number in range(20):
            assert one.execute("SELECT %s::int + 1", (number,)).fetchone() == (number + 1,)
            assert two.execute("SELECT %s::int * 2", (number,)).fetchone() == (number * 2,)


def test_a_storm_of_clients_is_served_by_few_connections(server, proxy):
    answers, most, ready = [], [], threading.Barrier(_CLIENTS)
    password = server.secret()["password"]
    ended = threading.Event()

    def ask(number: int) -> None:
        ready.wait(60)
        with server.connect(host=proxy.host, password=password, connect_timeout=60) as connection:
            for _ in range(5):
                with connection.transaction():
                    row = connection.execute("SELECT %s::int, pg_sleep(0.01)", (number,))
                    answers.append(row.fetchone()[0])

    def count() -> None:
        with server.connect(password=password) as connection:
            while not ended.wait(0.2):
                row = connection.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE usename = 'captain' "
                    "AND client_addr = %s", (proxy.host,)
                )  # fmt: skip
                most.append(row.fetchone()[0])

    counting = threading.Thread(target=count)
    counting.start()
    clients = [threading.Thread(target=ask, args=(n,)) for n in range(_CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    ended.set()
    counting.join()
    assert sorted(answers) == sorted(list(range(_CLIENTS)) * 5)
    assert 1 < max(most) <= _SHARE


def test_writes_go_on_through_a_failover(server, proxy):
    before = server.node()["id"]
    with Load(server, host=proxy.host) as load:
        server.rds.reboot_db_instance(DBInstanceIdentifier=server.name, ForceFailover=True)
        wait_for(lambda: server.node()["id"] != before, 30, "another node is the primary")
        load.more()
    server.wait()
    assert load.lost() == set()
    assert max(load.outages) < 15


def test_a_rotated_secret_is_taken_up(cloud, server, proxy):
    before = server.secret()["password"]
    arn = server.describe()["MasterUserSecret"]["SecretArn"]
    cloud.client("secretsmanager").rotate_secret(SecretId=arn)
    wait_for(lambda: server.secret()["password"] != before, 15, "a new password")
    wait_for(lambda: server.answers("SELECT 1", [(1,)], host=proxy.host), 10, "it lets in")
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        server.rows("SELECT 1", host=proxy.host, password=before)


def test_settings_change_while_it_runs(cloud, server, proxy):
    changed = proxy.rds.modify_db_proxy(DBProxyName=proxy.name, RequireTLS=False)["DBProxy"]
    assert changed["RequireTLS"] is False and changed["Endpoint"] == proxy.host
    wait_for(
        lambda: server.answers("SELECT 1", [(1,)], host=proxy.host, sslmode="disable"),
        10,
        "plain is let in",
    )
    proxy.rds.modify_db_proxy(DBProxyName=proxy.name, RequireTLS=True)
    set_share(proxy, 50)
    wait_for(lambda: in_force(cloud, proxy, "max_db_connections") == "30", 10, "a smaller share")
    set_share(proxy, 60)
    wait_for(
        lambda: in_force(cloud, proxy, "max_db_connections") == "36", 10, "the share of before"
    )
    group = proxy.rds.describe_db_proxy_target_groups(DBProxyName=proxy.name)["TargetGroups"][0]
    assert group["ConnectionPoolConfig"]["MaxConnectionsPercent"] == 60
    tags = proxy.rds.list_tags_for_resource(ResourceName=changed["DBProxyArn"])["TagList"]
    assert tags == [{"Key": "part", "Value": "tests"}]


def test_only_what_can_be_a_target_is_registered(proxy, server):
    with pytest.raises(proxy.rds.exceptions.DBInstanceNotFoundFault):
        proxy.rds.register_db_proxy_targets(
            DBProxyName=proxy.name, DBInstanceIdentifiers=["no-such"]
        )
    with pytest.raises(proxy.rds.exceptions.DBProxyTargetAlreadyRegisteredFault):
        proxy.rds.register_db_proxy_targets(
            DBProxyName=proxy.name, DBInstanceIdentifiers=[server.name]
        )
