"""Databases and caches as a failover drill sees them: ready or not, where, and what survived."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from ansible_collections.drydock.ops.plugins.module_utils import postgres
from ansible_collections.drydock.ops.plugins.module_utils.aws import client

try:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    HAS_REDIS = True
except ImportError:  # pragma: no cover - said by require_redis
    HAS_REDIS = False

TABLE = "drydock_failover_drill"  # a prefix: each drill has its own
KEYS = "drydock-failover-drill"
# A key of a drill that was killed goes by itself.
KEY_SECONDS = 3600
CLIENT_SECONDS = 2
COPY_MILLISECONDS = 1000
MAX_LAG = 5
QUIET_MINUTES = 10
_CHUNK = 500


class NotReady(Exception):
    """A failover now would be an outage or prove nothing; the text says why."""


def require_redis(module: Any) -> None:
    """End the module with a sentence where the driver is not installed."""
    if not HAS_REDIS:
        module.fail_json(
            msg="redis is not installed for the Python that runs Ansible: install the project's "
            "requirements.txt into it (`make setup`)."
        )


class DatabaseTarget:
    """A Multi-AZ instance of RDS."""

    kind = "database"

    def __init__(self, identifier: str, region: str, run: str) -> None:
        """run: letters and digits that are this drill's own."""
        self.identifier, self.region = identifier, region
        self.rds = client("rds", region)
        self.table = f"{TABLE}_{run}"
        self._login: postgres.Login | None = None

    @property
    def login(self) -> postgres.Login:
        if self._login is None:
            self._login = postgres.master_login(self.identifier, self.region)
        return self._login

    def place(self) -> str:
        """Return the zone of the primary."""
        return str(postgres.describe_instance(self.rds, self.identifier).get("AvailabilityZone"))

    def readiness(self) -> tuple[list[str], dict[str, Any]]:
        """Return what speaks against a failover now, and the facts.

        RDS's standby is written to below PostgreSQL, so its being in sync shows in the instance's
        status alone; where the server itself names a synchronous standby, that one is asked too.
        """
        now = postgres.describe_instance(self.rds, self.identifier)
        problems = []
        if not now.get("MultiAZ"):
            problems.append("it has no standby (Multi-AZ is off): set database.multi_az")
        if now["DBInstanceStatus"] != "available":
            problems.append(f"it is {now['DBInstanceStatus']}, not available: wait until it is")
        if now.get("PendingModifiedValues"):
            names = ", ".join(sorted(now["PendingModifiedValues"]))
            problems.append(f"changes are pending ({names}), which a reboot would apply")
        since = datetime.now(UTC) - timedelta(minutes=QUIET_MINUTES)
        events = self.rds.describe_events(
            SourceIdentifier=self.identifier,
            SourceType="db-instance",
            StartTime=since,
            EventCategories=["failover", "failure", "recovery", "maintenance", "low storage"],
        )["Events"]
        facts: dict[str, Any] = {
            "database": self.identifier,
            "status": now["DBInstanceStatus"],
            "multi_az": bool(now.get("MultiAZ")),
            "zone": now.get("AvailabilityZone"),
            "standby_zone": now.get("SecondaryAvailabilityZone"),
            "events": [event["Message"] for event in events],
        }
        if not problems:
            try:
                with postgres.connect(self.login) as connection:
                    facts |= postgres.replication(connection)
            except postgres.DatabaseError as error:
                problems.append(str(error))
            else:
                problems += _replication_problems(facts)
        return problems, facts

    def prepare(self) -> None:
        """Make the drill's own table; drop what a killed drill left (the lock lets in one)."""
        with postgres.connect(self.login, 10) as connection:
            self._drop(connection)
            connection.execute(f"CREATE TABLE {self.table} (number bigint PRIMARY KEY)")

    def writer(self) -> _DatabaseWriter:
        return _DatabaseWriter(self.login, self.table)

    def trigger(self) -> None:
        self.rds.reboot_db_instance(DBInstanceIdentifier=self.identifier, ForceFailover=True)

    def settled(self, before: str) -> bool:
        """Return whether the primary is elsewhere and available."""
        now = postgres.describe_instance(self.rds, self.identifier)
        return now["DBInstanceStatus"] == "available" and now.get("AvailabilityZone") != before

    def lost(self, numbers: Iterable[int]) -> list[int]:
        """Return which of these acknowledged writes are not there."""
        with postgres.connect(self.login, 30) as connection:
            query = f"SELECT number FROM {self.table}"  # noqa: S608 (the drill's own name)
            found = {row[0] for row in connection.execute(query)}
        return sorted(set(numbers) - found)

    def clean(self, seconds: float = 30) -> None:
        """Drop the drill's tables; tries so long. Raises DatabaseError after that."""
        end = time.monotonic() + seconds
        while True:
            try:
                with postgres.connect(self.login) as connection:
                    return self._drop(connection)
            except postgres.DatabaseError:
                if time.monotonic() > end:
                    raise
            time.sleep(0.5)

    def _drop(self, connection: Any) -> None:
        rows = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE tablename LIKE %s AND "
            "tableowner = current_user",
            (TABLE.replace("_", r"\_") + r"\_%",),
        ).fetchall()
        for schema, name in rows:
            connection.execute(f'DROP TABLE IF EXISTS "{schema}"."{name}"')


def _replication_problems(facts: dict[str, Any]) -> list[str]:
    problems = []
    if facts["recovering"]:
        problems.append("its endpoint leads to a server in recovery, which takes no write")
    standbys = facts["standbys"]
    if facts["awaits_standby"] and not any(
        one["sync_state"] in ("sync", "quorum") and one["state"] == "streaming" for one in standbys
    ):
        problems.append("its synchronous standby is not in sync")
    problems += [
        f"standby {one['name']} is {one['lag_seconds']:.1f} s behind"
        for one in standbys
        if one["lag_seconds"] > MAX_LAG
    ]
    return problems


class _DatabaseWriter:
    """One insert for each write, each a transaction of its own."""

    def __init__(self, login: postgres.Login, table: str) -> None:
        self.connection = postgres.connect(login, timeout=CLIENT_SECONDS)
        # A transaction is acknowledged when its WAL is safe; a session may have that turned off.
        self.connection.execute("SET synchronous_commit = on")
        self.insert = f"INSERT INTO {table} VALUES (%s)"  # noqa: S608 (the drill's own name)

    def write(self, number: int) -> bool:
        self.connection.execute(self.insert, (number,))
        return True

    def close(self) -> None:
        self.connection.close()


class CacheTarget:
    """A replication group of ElastiCache with one shard."""

    kind = "cache"

    def __init__(self, identifier: str, region: str, run: str) -> None:
        self.identifier, self.region = identifier, region
        self.api = client("elasticache", region)
        self.prefix = f"{KEYS}:{run}:"
        self.copies = 1
        self._where: dict[str, Any] | None = None

    def describe(self) -> dict[str, Any]:
        found = self.api.describe_replication_groups(ReplicationGroupId=self.identifier)
        return found["ReplicationGroups"][0]

    def place(self) -> str:
        """Return the member that is primary."""
        members = self.describe()["NodeGroups"][0]["NodeGroupMembers"]
        roles = {one.get("CurrentRole"): one["CacheClusterId"] for one in members}
        return roles.get("primary", "")

    def readiness(self) -> tuple[list[str], dict[str, Any]]:
        """Return what speaks against a failover now, and the facts."""
        now = self.describe()
        groups = now.get("NodeGroups", [])
        problems = []
        if now["Status"] != "available":
            problems.append(f"it is {now['Status']}, not available: wait until it is")
        if len(groups) != 1:
            problems.append(f"it has {len(groups)} shards; this drill knows one")
        members = groups[0]["NodeGroupMembers"] if groups else []
        if len(members) < 2:
            problems.append("it has no replica: set cache.replicas to 1 or more")
        if now.get("AutomaticFailover") != "enabled":
            problems.append(f"automatic failover is {now.get('AutomaticFailover', 'off')}")
        facts: dict[str, Any] = {
            "cache": self.identifier,
            "status": now["Status"],
            "automatic_failover": now.get("AutomaticFailover"),
            "members": {one["CacheClusterId"]: one.get("CurrentRole") for one in members},
            "zones": {
                one["CacheClusterId"]: one.get("PreferredAvailabilityZone") for one in members
            },
        }
        if not problems:
            try:
                facts |= self._replication()
            except redis.RedisError as error:
                problems.append(f"its primary can't be asked: {error}")
            else:
                wanted = len(members) - 1
                online = [one for one in facts["replicas"] if one["state"] == "online"]
                late = [one for one in online if one["lag"] > MAX_LAG]
                self.copies = max(1, wanted)
                if len(online) < wanted:
                    problems.append(f"{len(online)} of {wanted} replicas are connected")
                problems += [
                    f"replica {one['ip']} is {one['lag']} s behind" for one in late
                ]  # fmt: skip
        return problems, facts

    def _replication(self) -> dict[str, Any]:
        with contextlib.closing(self.connect()) as server:
            told = server.info("replication")
        replicas = [told[name] for name in sorted(told) if name.startswith("slave") and isinstance(
            told[name], dict)]  # fmt: skip
        return {"role": told["role"], "replicas": replicas}

    def connect(self) -> Any:
        """Return a client of the primary endpoint that tries nothing again by itself."""
        if self._where is None:
            now = self.describe()
            at = now["NodeGroups"][0]["PrimaryEndpoint"]
            self._where = {
                "host": at["Address"],
                "port": int(at["Port"]),
                "ssl": bool(now.get("TransitEncryptionEnabled")),
            }
        where = dict(self._where)
        if where.pop("ssl"):
            # Encrypted as the group demands; no secret goes to it that a check would guard.
            where |= {"ssl": True, "ssl_cert_reqs": "none", "ssl_check_hostname": False}
        return redis.Redis(
            **where,
            socket_timeout=CLIENT_SECONDS + COPY_MILLISECONDS / 1000,
            socket_connect_timeout=CLIENT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )

    def prepare(self) -> None:
        """Nothing: keys come with the writes."""

    def writer(self) -> _CacheWriter:
        return _CacheWriter(self.connect(), self.prefix, self.copies)

    def trigger(self) -> None:
        group = self.describe()["NodeGroups"][0]["NodeGroupId"]
        self.api.test_failover(ReplicationGroupId=self.identifier, NodeGroupId=group)

    def settled(self, before: str) -> bool:
        """Return whether another member is primary and the group available."""
        return self.describe()["Status"] == "available" and self.place() not in ("", before)

    def lost(self, numbers: Iterable[int]) -> list[int]:
        """Return which of these acknowledged writes are not there."""
        wanted, missing = sorted(numbers), []
        with contextlib.closing(self.connect()) as server:
            for first in range(0, len(wanted), _CHUNK):
                part = wanted[first : first + _CHUNK]
                found = server.mget([f"{self.prefix}{number}" for number in part])
                missing += [
                    number
                    for number, value in zip(part, found, strict=True)
                    if value != str(number).encode()
                ]
        return missing

    def clean(self, seconds: float = 30) -> None:
        """Delete the drill's keys; tries so long. Raises RedisError after that."""
        end = time.monotonic() + seconds
        while True:
            try:
                with contextlib.closing(self.connect()) as server:
                    for key in server.scan_iter(f"{self.prefix}*", count=_CHUNK):
                        server.unlink(key)
                return
            except redis.RedisError:
                if time.monotonic() > end:
                    raise
            time.sleep(0.5)


class _CacheWriter:
    """A write counts as acknowledged once every replica has it: the primary's word alone is not
    enough, since a replica takes its place."""

    def __init__(self, server: Any, prefix: str, copies: int) -> None:
        self.server, self.prefix, self.copies = server, prefix, copies

    def write(self, number: int) -> bool:
        # One connection: WAIT speaks of what this very connection wrote.
        with self.server.pipeline(transaction=False) as both:
            both.set(f"{self.prefix}{number}", number, ex=KEY_SECONDS)
            both.wait(self.copies, COPY_MILLISECONDS)
            _, copied = both.execute()
        return copied >= self.copies

    def close(self) -> None:
        self.server.close()


def target(kind: str, identifier: str, region: str, run: str) -> DatabaseTarget | CacheTarget:
    """Return the target of a drill."""
    return (DatabaseTarget if kind == "database" else CacheTarget)(identifier, region, run)
