"""RDS: a PostgreSQL server behind each instance of the API."""

import base64
import hashlib
import hmac
import os
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from drydock.controller import Cloud
from drydock.controllers.engines import EngineController, Node
from drydock.errors import ApiError, DrydockError
from drydock.moto import rds
from drydock.moto.api import PASS, Context, Handler
from drydock.moto.rds import Database
from drydock.podman import Part

_MAJOR = "17"  # what Debian 13 carries
_BIN = f"/usr/lib/postgresql/{_MAJOR}/bin"
_STOP_SECONDS = 20
_TRIES = 3
# initdb writes beside, then renames: a kill in the middle leaves no half-made cluster.
_START = f"""\
set -e
cd /part
chown postgres: . *
# rds_superuser may create this one, which on AWS every instance has loaded.
control=/usr/share/postgresql/{_MAJOR}/extension/pg_stat_statements.control
grep -q ^trusted $control || echo "trusted = true" >> $control
as="setpriv --reuid=postgres --regid=postgres --init-groups"
if [ ! -d data ]; then
  rm -rf new
  $as {_BIN}/initdb --pgdata=new --username=rdsadmin --no-sync --encoding=UTF8 \
    --locale=C.UTF-8 --locale-provider=icu --icu-locale=en-US >/dev/null
  mv new data
fi
exec $as {_BIN}/postgres -D data -c config_file=/part/postgresql.conf
"""
_CONFIGURATION = """\
listen_addresses = '*'
port = {port}
unix_socket_directories = '/part'
hba_file = '/part/pg_hba.conf'
ident_file = '/part/pg_ident.conf'
ssl = on
ssl_cert_file = '/part/server.crt'
ssl_key_file = '/part/server.key'
log_line_prefix = '%t:%r:%u@%d:[%p]:'
max_connections = {max_connections}
shared_preload_libraries = 'pg_stat_statements'
# A killed server loses nothing that it wrote; the machine's own end ends the cloud anyway.
fsync = off
{parameters}"""
# The controller comes in by the socket, as rdsadmin; nobody else may be rdsadmin.
_HBA = """\
local all rdsadmin peer map=controller
host all rdsadmin all reject
{host} all all all scram-sha-256
"""
_IDENT = "controller postgres rdsadmin\n"
# As RDS makes it: the master user is no superuser, but holds rds_superuser.
_ROLES = """\
SELECT 'CREATE ROLE rds_superuser' WHERE to_regrole('rds_superuser') IS NULL \\gexec
GRANT pg_monitor, pg_signal_backend, pg_checkpoint, pg_use_reserved_connections
  TO rds_superuser WITH ADMIN OPTION;
SELECT 'CREATE ROLE rds_replication' WHERE to_regrole('rds_replication') IS NULL \\gexec
GRANT rds_replication TO rds_superuser WITH ADMIN OPTION;
SELECT 'CREATE ROLE {user}' WHERE to_regrole({user_text}) IS NULL \\gexec
GRANT rds_superuser TO {user};
ALTER ROLE {user} LOGIN CREATEDB CREATEROLE PASSWORD {verifier};
"""
_DATABASE = """\
SELECT 'CREATE DATABASE {name} OWNER {user}'
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = {name_text}) \\gexec
"""


def identifier(name: str) -> str:
    """Quotes an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quotes an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def verifier(password: str, salt: bytes, rounds: int = 4096) -> str:
    """PostgreSQL's stored form of a password, so that no statement or log ever holds it.

    SCRAM-SHA-256 as in RFC 5803 and PostgreSQL's ``pg_authid.rolpassword``.
    """
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    client = hmac.digest(salted, b"Client Key", "sha256")
    server = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [
        base64.b64encode(b).decode() for b in (salt, hashlib.sha256(client).digest(), server)
    ]
    return f"SCRAM-SHA-256${rounds}:{encoded[0]}${encoded[1]}:{encoded[2]}"


def memory(instance_class: str) -> int:
    """Bytes of memory of a class such as ``db.t4g.micro``, by AWS's naming of sizes."""
    _, family, size = instance_class.split(".")
    gib = {"micro": 1, "small": 2, "medium": 4, "large": 8, "xlarge": 16}.get(size)
    if gib is None:
        number = size.removesuffix("xlarge")
        gib = 16 * int(number) if number.isdigit() else 1
    return gib * (2 if family[0] in "rx" else 1) * 2**30


def configuration(database: Database) -> dict[str, str]:
    """The server's files by name.

    Defaults as RDS's: ``max_connections`` from the class's memory, ``rds.force_ssl`` on since
    PostgreSQL 15. Values that are formulas keep PostgreSQL's own default.
    """
    given = {name: value for name, value in database.parameters if "{" not in value}
    connections = min(memory(database.instance_class) // 9531392, 5000)
    lines = [f"{name} = {literal(value)}\n" for name, value in given.items()]
    forced = given.get("rds.force_ssl", "1") == "1"
    return {
        "postgresql.conf": _CONFIGURATION.format(
            port=database.port, max_connections=connections, parameters="".join(lines)
        ),
        "pg_hba.conf": _HBA.format(host="hostssl" if forced else "host"),
        "pg_ident.conf": _IDENT,
    }


class DatabaseController(EngineController):
    name = kind = "database"
    settled = frozenset({"available", "stopped", "incompatible-parameters"})

    def __init__(self, cloud: Cloud):
        super().__init__(cloud)
        self._told: dict[str, tuple[dict[str, str], str]] = {}  # configuration and password
        self._tries: dict[str, int] = {}
        self._rebooted: set[str] = set()

    # --- calls -------------------------------------------------------------------

    def operations(self) -> Mapping[tuple[str, str], Handler]:
        from_data = (
            "CreateDBInstanceReadReplica",
            "RestoreDBInstanceFromDBSnapshot",
            "RestoreDBInstanceToPointInTime",
        )
        return {
            ("rds", "CreateDBInstance"): self._create,
            ("secretsmanager", "RotateSecret"): self._rotate,
            **{("rds", action): _no_copies for action in from_data},
        }

    def _create(self, _context: Context, given: dict[str, Any]) -> dict[str, Any]:
        if given.get("DBClusterIdentifier"):
            return PASS
        engine, version = given["Engine"], given.get("EngineVersion", _MAJOR)
        if engine != "postgres" or version.split(".")[0] != _MAJOR:
            raise ApiError(
                "InvalidParameterCombination",
                f"Cannot find version {version} for {engine}: the embedded cloud carries "
                f"PostgreSQL {_MAJOR}.",
            )
        if not given.get("DBSubnetGroupName"):
            raise ApiError(
                "InvalidSubnet",
                "No default subnet detected in VPC: the embedded cloud has no default VPC to run "
                f"{given['DBInstanceIdentifier']} in; name a DB subnet group.",
            )
        user = given.get("MasterUsername")
        if not user or user == "rdsadmin":
            reason = "cannot be used as it is a reserved word used by the engine"
            raise ApiError("InvalidParameterValue", f"MasterUsername {user} {reason}")
        if not given.get("MasterUserPassword") and not given.get("ManageMasterUserPassword"):
            reason = "must be provided, or managed by RDS (ManageMasterUserPassword)"
            raise ApiError("InvalidParameterValue", f"MasterUserPassword {reason}")
        return PASS

    def _rotate(self, context: Context, given: dict[str, Any]) -> dict[str, Any]:
        found = rds.start_rotation(context.region, given["SecretId"])
        if found is None:
            return PASS
        self.wake()
        return {
            "ARN": found[0],
            "Name": found[1],
            "VersionId": given.get("ClientRequestToken") or str(uuid.uuid4()),
        }

    def status(self) -> Mapping[str, object]:
        return {
            "databases": [
                {"id": d.id, "address": d.address, "port": d.port, "status": d.status}
                for d in rds.databases()
            ]
        }

    # --- the loop ----------------------------------------------------------------

    def wanted(self) -> Sequence[Database]:
        return rds.databases()

    def tend(self, database: Database, parts: Mapping[str, Part]) -> None:
        # Nodes are numbered, not called primary and standby: a failover swaps those.
        node_id = f"{database.key}-1"
        if database.status == "deleting":
            self.drop_node(node_id)
            self._told.pop(node_id, None)
            rds.forget(database)
            return
        node, part = self.node(node_id, database.subnet_id), parts.get(node_id)
        if database.status in ("stopping", "stopped"):
            if part and part.running:
                self.cloud.podman.stop(part.name, _STOP_SECONDS)
            rds.set_status(database, "stopped")
            return
        wish = (configuration(database), database.password)
        told = self._told.get(node_id) == wish
        if told and database.status == "incompatible-parameters":
            return
        runs = database.status == "available" and part is not None and part.running
        if told and runs and not database.rotating:
            return
        for name, content in wish[0].items():
            (node.folder / name).write_text(content)
        if database.status == "rebooting" and node_id not in self._rebooted:
            self.cloud.podman.stop(self.part_name(node), _STOP_SECONDS)
            self.cloud.podman.remove(self.part_name(node))
            self._rebooted.add(node_id)
            part = None
        if self.start_node(node, part, ["sh", "-c", _START]):
            self._tries[node_id] = self._tries.get(node_id, 0) + 1
            if self._tries[node_id] > _TRIES:
                self._told[node_id] = wish
                del self._tries[node_id]
                rds.set_status(database, "incompatible-parameters")
                return
        password = rds.new_password() if database.rotating else database.password
        if not self._set_up(node, database, password):
            return
        if database.rotating:
            rds.finish_rotation(database, password)
        self._told[node_id] = (wish[0], password)
        self._tries.pop(node_id, None)
        self._rebooted.discard(node_id)
        if database.status != "available":
            rds.set_status(database, "available", node.address)
            self.log.info("%s is available at %s:%d", database.id, node.address, database.port)

    def _set_up(self, node: Node, database: Database, password: str) -> bool:
        """Makes roles and database, reloads the configuration; False while it can't be reached.

        Raises:
            DrydockError: the server refuses a statement.
        """
        names = {
            "user": identifier(database.user),
            "user_text": literal(identifier(database.user)),
            "verifier": literal(verifier(password, os.urandom(16))),
        }
        script = _ROLES.format(**names)
        if database.name:
            script += _DATABASE.format(
                name=identifier(database.name), name_text=literal(database.name), **names
            )
        done = self.cloud.podman.execute(
            self.part_name(node),
            ["psql", "--host=/part", f"--port={database.port}", "--username=rdsadmin",
             "--dbname=postgres", "--quiet", "--no-psqlrc", "--output=/dev/null",
             "--set=ON_ERROR_STOP=1"],
            user="postgres",
            stdin=script + "SELECT pg_reload_conf();\n",
        )  # fmt: skip
        if done.code == 3:  # psql's own code for a failed script; a failed connection is 2
            raise DrydockError(f"{database.id} refuses its set-up: {done.stderr.strip()}")
        return done.code == 0


def _no_copies(_context: Context, _given: dict[str, Any]) -> dict[str, Any]:
    raise ApiError(
        "NotImplemented",
        "The embedded cloud keeps no database copies yet: snapshots are only noted, so nothing "
        "can be restored or replicated from them; see docs/fidelity.md.",
        501,
    )
