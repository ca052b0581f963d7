"""RDS: the endpoint that the API returns is where PostgreSQL listens."""

import pytest
from botocore.exceptions import ClientError

from .conftest import wait_for
from .postgres import instance


@pytest.fixture(scope="module")
def server(cloud):
    with instance(cloud, parameters={"log_min_duration_statement": "500"}) as made:
        yield made


def test_listens_with_tls_in_its_subnet(cloud, server):
    endpoint = server.describe()["Endpoint"]
    assert (
        endpoint["Address"].startswith(cloud.vpc.cidr.removesuffix("0.0/16"))
        and endpoint["Port"] == 5432
    )
    assert server.value("select ssl from pg_stat_ssl where pid = pg_backend_pid()") == "t"
    shown = server.shown
    assert (shown["address"], shown["status"]) == (endpoint["Address"], "available")


def test_plain_connections_are_refused_while_the_group_says_so(server):
    refused = server.psql("select 1", ssl="disable")
    assert refused.code != 0 and "no encryption" in refused.stderr
    server.set_parameter("rds.force_ssl", "0")
    wait_for(lambda: server.psql("select 1", ssl="disable").code == 0, 10, "plain is let in")
    server.set_parameter("rds.force_ssl", "1")
    wait_for(lambda: server.psql("select 1", ssl="disable").code != 0, 10, "plain is refused")


def test_the_master_user_owns_the_database_but_is_no_superuser(server):
    assert server.value("select rolsuper, rolcreatedb, rolcreaterole from pg_roles "
                        "where rolname = current_user") == "f|t|t"  # fmt: skip
    assert server.value("select pg_has_role('rds_superuser', 'member')") == "t"
    assert (
        server.value("select datdba::regrole from pg_database where datname = 'app'") == "captain"
    )
    assert server.psql("create extension pg_stat_statements").code == 0
    assert "permission denied" in server.psql("select pg_read_file('/etc/passwd')").stderr


def test_parameters_are_in_force(server):
    assert server.value("show log_min_duration_statement") == "500ms"
    assert server.value("show max_connections") == "112"
    server.set_parameter("log_min_duration_statement", "250")
    wait_for(lambda: server.value("show log_min_duration_statement") == "250ms", 10, "a reload")


def test_nothing_shows_the_password(cloud, server):
    password = server.secret()["password"]
    assert len(password) >= 20
    inspected = cloud.podman.command("inspect", server.container.name).stdout
    logs = cloud.podman.command("logs", server.container.name)
    assert password not in inspected + logs.stdout + logs.stderr
    for file in cloud.settings.folder("parts", "database").glob(f"*{server.name}*/*"):
        assert not file.is_file() or password not in file.read_text()


def test_a_rotated_secret_is_the_password(cloud, server):
    before = server.secret()["password"]
    arn = server.describe()["MasterUserSecret"]["SecretArn"]
    cloud.client("secretsmanager").rotate_secret(SecretId=arn)
    wait_for(lambda: server.secret()["password"] != before, 15, "a new password")
    assert server.value("select 1") == "1"
    refused = server.psql("select 1", password=before)
    assert refused.code != 0 and "authentication failed" in refused.stderr
    assert server.describe()["MasterUserSecret"]["SecretStatus"] == "active"


def test_data_outlives_a_killed_server(server):
    server.value("create table kept (n int); insert into kept values (42)")
    address, pid = server.describe()["Endpoint"]["Address"], server.container.pid
    server.cloud.podman.kill(server.container.name)
    wait_for(
        lambda: server.container.pid not in (0, pid) and server.psql("select 1").code == 0,
        20,
        "the server is back",
    )
    assert server.value("select n from kept") == "42"
    assert server.describe()["Endpoint"]["Address"] == address


def test_stop_start_and_reboot(server):
    server.rds.stop_db_instance(DBInstanceIdentifier=server.name)
    server.wait("stopped")
    assert not server.container.running
    server.rds.start_db_instance(DBInstanceIdentifier=server.name)
    server.wait()
    began = server.value("select pg_postmaster_start_time()")
    server.rds.reboot_db_instance(DBInstanceIdentifier=server.name)
    server.wait()
    assert server.value("select pg_postmaster_start_time()") > began


def test_parameters_that_no_server_starts_with_are_said_to_be_so(server):
    server.set_parameter("no_such_parameter", "1")
    server.rds.reboot_db_instance(DBInstanceIdentifier=server.name)
    server.wait("incompatible-parameters")
    server.rds.reset_db_parameter_group(
        DBParameterGroupName=server.name,
        Parameters=[{"ParameterName": "no_such_parameter", "ApplyMethod": "immediate"}],
    )
    server.wait()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"EngineVersion": "16.4"}, "Cannot find version 16.4"),
        ({"Engine": "mysql", "EngineVersion": "8.0"}, "Cannot find version 8.0 for mysql"),
        ({"MasterUsername": "rdsadmin"}, "reserved word"),
        ({}, "name a DB subnet group"),
    ],
)
def test_what_can_not_run_is_refused_with_a_reason(cloud, changed, words):
    given = {
        "DBInstanceIdentifier": "refused",
        "Engine": "postgres",
        "DBInstanceClass": "db.t4g.micro",
        "MasterUsername": "captain",
        "ManageMasterUserPassword": True,
        **({"DBSubnetGroupName": "any"} if changed else {}),
        **changed,
    }
    with pytest.raises(ClientError, match=words):
        cloud.client("rds").create_db_instance(**given)
