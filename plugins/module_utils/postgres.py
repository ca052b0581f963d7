"""PostgreSQL on RDS as its master user: coming in when it is full, and who is in it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.drydock.ops.plugins.module_utils.aws import client

try:
    import psycopg

    HAS_PSYCOPG = True
except ImportError:  # pragma: no cover - said by require_psycopg
    HAS_PSYCOPG = False

# By this name runbooks know their own sessions, and those of one another.
OWN_APPLICATION = "drydock-runbook"
CONNECT_SECONDS = 5
STATEMENT_MILLISECONDS = 10_000
TOO_MANY = "53300"  # SQLSTATE too_many_connections, for every kind of "no slot left"
# Everything that the decision needs of a session and nothing of what it says: a query may hold
# customers' data or, in ALTER ROLE, a password.
SESSIONS = """
SELECT a.pid, a.backend_start::text AS backend_start, a.backend_type,
       coalesce(a.usename, '') AS role, coalesce(a.application_name, '') AS application,
       coalesce(host(a.client_addr), '') AS address, coalesce(a.state, '') AS state,
       extract(epoch FROM clock_timestamp() - a.backend_start)::float AS age,
       extract(epoch FROM clock_timestamp()
               - CASE WHEN a.state = 'active' THEN a.query_start
                      ELSE a.state_change END)::float AS state_age,
       coalesce(r.rolsuper, false) AS superuser,
       coalesce(r.rolreplication, false) AS replication,
       coalesce(pg_has_role(r.oid, to_regrole('rds_superuser')::oid, 'MEMBER'), false) AS admin,
       coalesce(a.wait_event_type = 'Lock', false) AS blocked,
       a.pid = pg_backend_pid() AS own
FROM pg_stat_activity a LEFT JOIN pg_roles r ON r.oid = a.usesysid
ORDER BY a.backend_start
"""
SETTINGS = """
SELECT name, setting::int FROM pg_settings WHERE name IN
  ('max_connections', 'superuser_reserved_connections', 'reserved_connections')
"""


class DatabaseError(Exception):
    """The database can't be asked or refuses; the text is a sentence with the cure."""


class DatabaseFull(DatabaseError):
    """Every slot is taken, those that are reserved for the master user included."""


@dataclass(frozen=True)
class Login:
    """Where and as whom to connect. The password shows in no repr, traceback or result."""

    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)


def require_psycopg(module: Any) -> None:
    """End the module with a sentence where psycopg is not installed."""
    if not HAS_PSYCOPG:
        module.fail_json(
            msg="psycopg is not installed for the Python that runs Ansible: install the project's "
            "requirements.txt into it (`make setup`)."
        )


def describe_instance(rds: Any, identifier: str) -> dict[str, Any]:
    """Return DescribeDBInstances' view of one instance."""
    return rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]


def master_login(identifier: str, region: str) -> Login:
    """Return the login that RDS manages for an instance; read anew each time, as it rotates.

    Raises DatabaseError where the instance has no managed secret or no endpoint yet, and
    botocore's errors.
    """
    instance = describe_instance(client("rds", region), identifier)
    secret = (instance.get("MasterUserSecret") or {}).get("SecretArn")
    if not secret:
        raise DatabaseError(
            f"RDS manages no master secret of {identifier}: set manage_master_user_password on it "
            "(terraform/modules/database does), or there is no way in for a runbook."
        )
    if "Endpoint" not in instance:
        raise DatabaseError(
            f"{identifier} is {instance['DBInstanceStatus']} and has no endpoint: wait until it is "
            "available."
        )
    value = client("secretsmanager", region).get_secret_value(SecretId=secret)["SecretString"]
    told = json.loads(value)
    return Login(
        host=instance["Endpoint"]["Address"],
        port=int(instance["Endpoint"]["Port"]),
        database=instance.get("DBName") or "postgres",
        user=told["username"],
        password=told["password"],
    )


def connect(login: Login, patience: float = 0, *, timeout: int = CONNECT_SECONDS) -> Any:
    """Return a connection in autocommit mode, with time-outs.

    The master user holds rds_superuser and so pg_use_reserved_connections: it comes in by the
    slots that RDS keeps back (rds.rds_superuser_reserved_connections, 2 by default) when others
    can't. Sessions of that same user fill those too, so a slot may have to be waited for.

    patience: seconds to go on trying while there is no slot. timeout: seconds to connect, and
    for a server that no longer answers what it is sent.
    Raises DatabaseFull, or DatabaseError with the server's or the network's reason.
    """
    end = time.monotonic() + patience
    where = f"PostgreSQL at {login.host}:{login.port}"
    while True:
        try:
            return psycopg.connect(
                host=login.host,
                port=login.port,
                dbname=login.database,
                user=login.user,
                password=login.password,
                sslmode="require",
                connect_timeout=timeout,
                autocommit=True,
                application_name=OWN_APPLICATION,
                options=f"-c statement_timeout={STATEMENT_MILLISECONDS} -c lock_timeout=2000",
                keepalives_idle=timeout,
                keepalives_interval=1,
                keepalives_count=2,
                tcp_user_timeout=1000 * timeout,
            )
        except psycopg.Error as error:
            # `from None`: libpq's error carries what it was called with.
            reason = str(error).strip()
            full = error.sqlstate == TOO_MANY or _says_full(reason)
            if not full:
                raise DatabaseError(f"{where} can't be asked: {reason}") from None
            if time.monotonic() >= end:
                raise DatabaseFull(
                    f"{where} has no slot left, not even one of those reserved for rds_superuser: "
                    f"{reason}"
                ) from None
        time.sleep(0.2)


def _says_full(reason: str) -> bool:
    """Return whether an error of libpq, which keeps no SQLSTATE of a refused start, means full."""
    return "connection slots are reserved" in reason or "too many clients" in reason


def settings(connection: Any) -> dict[str, int]:
    """Return max_connections and the two numbers of reserved slots."""
    return dict(connection.execute(SETTINGS).fetchall())


def sessions(connection: Any) -> list[dict[str, Any]]:
    """Return all sessions, oldest first; never the text of a query. Ages are in seconds."""
    with connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        return cursor.execute(SESSIONS).fetchall()


def replication(connection: Any) -> dict[str, Any]:
    """Return recovering, awaits_standby (a synchronous one is named) and standbys (name, state,
    sync_state, lag_seconds), as far as the server shows them."""
    recovering, named = connection.execute(
        "SELECT pg_is_in_recovery(), current_setting('synchronous_standby_names')"
    ).fetchone()
    with connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        standbys = cursor.execute(
            "SELECT application_name AS name, state, sync_state, "
            "coalesce(extract(epoch FROM replay_lag), 0)::float AS lag_seconds "
            "FROM pg_stat_replication"
        ).fetchall()
    return {"recovering": recovering, "awaits_standby": bool(named), "standbys": standbys}


# The very session that was looked at, still in a state that it was chosen for: a PID may have
# become another's since. Replication and the server's own processes never match.
_SAME = (
    "FROM pg_stat_activity WHERE pid = %s AND backend_start = %s::timestamptz "
    "AND state = ANY(%s) AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
)


def still(connection: Any, pid: int, backend_start: str, states: list[str]) -> bool:
    """Return whether a session is still there and in one of the states."""
    query = f"SELECT true {_SAME}"
    return connection.execute(query, (pid, backend_start, states)).fetchone() is not None


def terminate(connection: Any, pid: int, backend_start: str, states: list[str]) -> bool:
    """End a session if it is still there and in one of the states; return whether it was ended.

    Looked at and ended in one statement, so that nothing can happen between.
    Raises DatabaseError where the server refuses, as for a superuser's session.
    """
    query = f"SELECT pg_terminate_backend(pid) {_SAME}"
    try:
        row = connection.execute(query, (pid, backend_start, states)).fetchone()
    except psycopg.Error as error:
        raise DatabaseError(f"Session {pid} can't be ended: {str(error).strip()}") from None
    return bool(row and row[0])
