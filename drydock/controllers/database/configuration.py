"""The files that a PostgreSQL server is told by, made from what the API holds."""

import base64
import hashlib
import hmac
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from drydock.moto.rds import Database

MAJOR = "17"  # what Debian 13 carries
REPLICATOR = "rdsrepladmin"  # RDS's own name for the role that its copies come in as
_BIN = f"/usr/lib/postgresql/{MAJOR}/bin"
# Made beside, then renamed: a kill in the middle leaves no half-made cluster.
START = f"""\
set -e
cd /part
export HOME=/part  # else libpq looks for a certificate of root's
chown postgres: . *
# rds_superuser may create this one, which on AWS every instance has loaded.
control=/usr/share/postgresql/{MAJOR}/extension/pg_stat_statements.control
grep -q ^trusted $control || echo "trusted = true" >> $control
as="setpriv --reuid=postgres --regid=postgres --init-groups"
if [ ! -d data ]; then
  rm -rf new
  if [ -s upstream ]; then
    $as {_BIN}/pg_basebackup --pgdata=new --dbname="$(cat upstream)" --slot="$(cat slot)" \\
      --checkpoint=fast --no-sync
    touch new/standby.signal
  else
    $as {_BIN}/initdb --pgdata=new --username=rdsadmin --no-sync --encoding=UTF8 \\
      --locale=C.UTF-8 --locale-provider=icu --icu-locale=en-US >/dev/null
  fi
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
# RDS's rds.rds_superuser_reserved_connections: the master user gets in when others do not.
reserved_connections = 2
shared_preload_libraries = 'pg_stat_statements'
# A killed server loses nothing that it wrote; the machine's own end ends the cloud anyway.
fsync = off
# A copy that was away for a while finds what it missed; one that is gone fills no disk.
wal_keep_size = '256MB'
max_slot_wal_keep_size = '1GB'
wal_sender_timeout = '10s'
wal_receiver_timeout = '10s'
wal_retrieve_retry_interval = '1s'
{parameters}"""
# Only the nodes' own addresses may replicate. The cloud comes in by the socket, as rdsadmin;
# nobody else may be that.
_HBA = """\
local all rdsadmin peer map=controller
host all rdsadmin,rdsrepladmin all reject
{copies}{host} all all all scram-sha-256
"""
_IDENT = "controller root rdsadmin\ncontroller postgres rdsadmin\n"
# A copy refuses to run with less of these than its source (PostgreSQL documentation,
# "Administrator's Overview" of hot standby).
LIMITS = (
    "max_connections",
    "max_worker_processes",
    "max_wal_senders",
    "max_prepared_transactions",
    "max_locks_per_transaction",
)


@dataclass(frozen=True)
class Upstream:
    """What a copy follows: its source's address, and the slot kept for it there."""

    address: str
    port: int
    slot: str

    @property
    def conninfo(self) -> str:
        return (
            f"host={self.address} port={self.port} user={REPLICATOR} passfile=/part/pgpass "
            f"sslmode=verify-ca sslrootcert=/part/ca.pem application_name={self.slot} "
            "connect_timeout=3"
        )


@dataclass(frozen=True)
class Place:
    """What a node's configuration says of other nodes.

    Attributes:
        copies: addresses that may replicate from this node.
        awaited: the copy that must have a commit before it is acknowledged.
        upstream: None for a primary.
        limits: of the upstream's server, by name.
    """

    copies: Sequence[str] = ()
    awaited: str | None = None
    upstream: Upstream | None = None
    limits: Mapping[str, int] = field(default_factory=dict)


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


def vcpus(instance_class: str) -> int:
    """Virtual processors of a class: two up to large, then four for each "xlarge"."""
    size = instance_class.split(".")[2]
    if not size.endswith("xlarge"):
        return 2
    number = size.removesuffix("xlarge")
    return 4 * int(number) if number.isdigit() else 4


def _given(database: Database) -> dict[str, str]:
    # Values that are formulas keep PostgreSQL's own default.
    return {name: value for name, value in database.parameters if "{" not in value}


def max_connections(database: Database) -> int:
    """What the parameter group says, else RDS's default, from the class's memory."""
    value = _given(database).get("max_connections", "")
    return int(value) if value.isdigit() else min(memory(database.instance_class) // 9531392, 5000)


def configuration(database: Database, place: Place | None = None) -> dict[str, str]:
    """The server's files by name.

    Defaults as RDS's: ``max_connections`` from the class's memory, ``rds.force_ssl`` on since
    PostgreSQL 15.
    """
    place, given = place or Place(), _given(database)
    lines = [f"{name} = {literal(value)}\n" for name, value in given.items()]
    if place.awaited:
        lines.append(f"synchronous_standby_names = {literal(identifier(place.awaited))}\n")
    if place.upstream:
        lines.append(f"primary_conninfo = {literal(place.upstream.conninfo)}\n")
        lines.append(f"primary_slot_name = {literal(place.upstream.slot)}\n")
        wished = {**given, "max_connections": str(max_connections(database))}
        for name, least in place.limits.items():
            own = wished.get(name, "0")
            lines.append(f"{name} = {max(least, int(own) if own.isdigit() else 0)}\n")
    text = _CONFIGURATION.format(
        port=database.port,
        max_connections=max_connections(database),
        parameters="".join(lines),
    )
    copies = "".join(
        f"hostssl replication {REPLICATOR} {address}/32 scram-sha-256\n"
        for address in sorted(place.copies)
    )
    host = "hostssl" if given.get("rds.force_ssl", "1") == "1" else "host"
    return {
        "postgresql.conf": text,
        "pg_hba.conf": _HBA.format(copies=copies, host=host),
        "pg_ident.conf": _IDENT,
        "upstream": place.upstream.conninfo if place.upstream else "",
        "slot": place.upstream.slot if place.upstream else "",
    }


_FIND_ROLE = "SELECT 1 FROM pg_roles WHERE rolname = {}"
_FIND_DATABASE = "SELECT 1 FROM pg_database WHERE datname = {}"
# As RDS makes it: the master user is no superuser, but holds rds_superuser.
_GRANTS = """\
GRANT pg_monitor, pg_signal_backend, pg_checkpoint, pg_use_reserved_connections
  TO rds_superuser WITH ADMIN OPTION;
GRANT rds_replication TO rds_superuser WITH ADMIN OPTION;
GRANT rds_superuser TO {user};
ALTER ROLE {user} LOGIN CREATEDB CREATEROLE PASSWORD {password};
ALTER ROLE {replicator} LOGIN REPLICATION PASSWORD {replication_password};
"""


def set_up(database: Database, password: str, replication_password: str) -> list[tuple[str, str]]:
    """Pairs of a question and the statement to run when it finds nothing; may be repeated.

    Passwords are there only in their stored form.
    """
    user = identifier(database.user)
    steps = [
        (_FIND_ROLE.format(literal(role)), f"CREATE ROLE {identifier(role)}")
        for role in ("rds_superuser", "rds_replication", REPLICATOR, database.user)
    ]  # fmt: skip
    stored = [literal(verifier(text, os.urandom(16))) for text in (password, replication_password)]
    grants = _GRANTS.format(
        user=user, password=stored[0], replicator=REPLICATOR, replication_password=stored[1]
    )
    steps.append(("SELECT 1 WHERE false", grants))
    if database.name:
        found = _FIND_DATABASE.format(literal(database.name))
        steps.append((found, f"CREATE DATABASE {identifier(database.name)} OWNER {user}"))
    return steps
