"""What PgBouncer is told of an RDS proxy, and what is said of its target."""

import dataclasses

import pytest

from drydock.controllers.database.proxy import _health, configuration
from drydock.moto.rds import Database
from drydock.moto.rds_proxy import Proxy

DATABASE = Database(
    region="us-east-1", id="app", key="app-1a2b3c", status="available",
    instance_class="db.t4g.micro", storage=20 * 2**30, port=5432,
    address="10.0.0.5", user="app", password="not shown", rotating=False, name="app",
    zone="us-east-1a", subnets=(("us-east-1a", "subnet-1"),),
    multi_az=False, failover=False, source=None, parameters=(("max_connections", "60"),),
)  # fmt: skip
PROXY = Proxy(
    region="us-east-1", name="app", key="app-4d5e6f", status="available", subnet_id="subnet-1",
    require_tls=True, idle_seconds=900, most_percent=60, borrow_seconds=30,
    logins=(("app", 'sec"ret'),), unread=None, target=DATABASE,
)  # fmt: skip


def test_a_share_of_the_targets_connections_is_used():
    lines = configuration(PROXY)["pgbouncer.ini"].splitlines()
    assert "* = host=10.0.0.5 port=5432" in lines
    assert "max_db_connections = 36" in lines and "max_user_connections = 36" in lines
    few = dataclasses.replace(PROXY, most_percent=1)
    assert "max_db_connections = 1" in configuration(few)["pgbouncer.ini"].splitlines()


def test_waits_are_those_of_the_api():
    lines = configuration(PROXY)["pgbouncer.ini"].splitlines()
    assert {"query_wait_timeout = 30", "client_idle_timeout = 900"} <= set(lines)
    assert "idle_transaction_timeout = 900" in lines
    # PgBouncer's 0 would mean: for ever.
    at_once = dataclasses.replace(PROXY, borrow_seconds=0)
    assert "query_wait_timeout = 1" in configuration(at_once)["pgbouncer.ini"].splitlines()


@pytest.mark.parametrize(("required", "mode", "rule"), [
    (True, "require", "hostssl all all all scram-sha-256"),
    (False, "allow", "host all all all scram-sha-256"),
])  # fmt: skip
def test_tls_is_asked_for_as_the_api_says(required, mode, rule):
    files = configuration(dataclasses.replace(PROXY, require_tls=required))
    assert f"client_tls_sslmode = {mode}\n" in files["pgbouncer.ini"]
    assert rule in files["pg_hba.conf"].splitlines()
    assert "server_tls_sslmode = verify-full\n" in files["pgbouncer.ini"]


def test_nobody_comes_into_the_console_over_the_network():
    rules = configuration(PROXY)["pg_hba.conf"].splitlines()
    assert rules.index("host pgbouncer all all reject") < rules.index(
        "hostssl all all all scram-sha-256"
    )


def test_passwords_are_in_one_file_and_nowhere_else():
    files = configuration(PROXY)
    assert '"app" "sec""ret"\n' in files.pop("users.txt")
    assert not any("sec" in text and "ret" in text and 'sec"' in text for text in files.values())
    assert "sec" not in repr(PROXY).replace("seconds", "").replace("secret", "")


def test_without_a_target_there_is_no_database():
    text = configuration(dataclasses.replace(PROXY, target=None))["pgbouncer.ini"]
    assert "* = host" not in text


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"target": None}, None),
        ({"unread": "The secret can't be read."}, "AUTH_FAILURE"),
        ({"logins": ()}, "AUTH_FAILURE"),
        ({"target": dataclasses.replace(DATABASE, status="stopped")}, "UNREACHABLE"),
        ({"target": dataclasses.replace(DATABASE, status="modifying")}, None),
    ],
)
def test_a_targets_health_names_why_it_can_not_be_used(changes, reason):
    assert _health(dataclasses.replace(PROXY, **changes))[0] == reason
