"""Faults of a database: connections used up, disk filled."""

import json
import math
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from drydock.errors import DrydockError
from drydock.faults.kinds import KIND, Kind, sidecar, wait
from drydock.faults.store import Fault, Hit
from drydock.faults.targets import addresses
from drydock.moto import rds
from drydock.moto.rds import Database
from drydock.podman import Part

GIB = 2**30
_MACHINE_KEEPS = 10 * GIB
_OPEN_SECONDS = 90
_ROLE = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_EXISTS = "SELECT 1 FROM pg_roles WHERE rolname = '{role}'"
# Not a word of it in the server's log or statistics.
_CREATE = """\
SET log_statement = 'none'; SET log_min_error_statement = 'panic';
SET pg_stat_statements.track_utility = off;
CREATE ROLE {role} LOGIN PASSWORD '{password}'"""
_DROP = """\
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}';
DROP OWNED BY {role}; DROP ROLE {role}"""


class _DatabaseKind(Kind):
    def part(self, parts: list[Part]) -> Part:
        if len(parts) != 1 or parts[0].kind != "database":
            raise DrydockError(f"{self.name} needs a database, e.g. `fault {self.name} database`.")
        return parts[0]

    @staticmethod
    def of(part: Part) -> Database:
        """The instance whose endpoint the part holds, or to which it belongs."""
        own = addresses(part)
        for database in rds.databases():
            if database.address in own or part.id.startswith(f"{database.key}-"):
                return database
        raise DrydockError(f"{part.name} belongs to no instance.")

    def note(self, fault: Fault, part: Part) -> None:
        fault.hits.append(Hit(part.name, part.kind, part.id, part.pid))
        self.shop.save()


class FillConnections(_DatabaseKind):
    """Opens connections from an address of its own and keeps them."""

    name, undo = "fill-connections", "closes its connections, drops the role it made"

    def begin(self, fault: Fault, parts: list[Part]) -> None:
        part = self.part(parts)
        database, given = self.of(part), fault.options
        count = given.get("count") or self._count(part, database, given["share"])
        user, password = database.user, database.password
        if role := given.get("as"):
            if not _ROLE.fullmatch(role):
                raise DrydockError(f"{role} is no role's name: small letters, digits and _.")
            if self._sql(part, database, _EXISTS.format(role=role)):
                raise DrydockError(f"There is a role {role} already: give a new name with --as.")
            user, password = role, secrets.token_hex(16)
            fault.data["role"] = role
            self.note(fault, part)
            self._sql(part, database, _CREATE.format(role=role, password=password))
        else:
            self.note(fault, part)
        cloud = self.shop.cloud
        network = cloud.networks.of_subnet(database.subnet_id)
        fault.data["address"] = cloud.networks.allocate(database.subnet_id)
        passwords = cloud.settings.path("parts", KIND, fault.id)
        passwords.touch(mode=0o600)
        passwords.write_text(f"*:*:*:*:{password}\n")
        words = ["--count", str(count), "--state", given["state"]]
        name = sidecar(
            self.shop,
            fault,
            "",
            "connections.py",
            *words,
            *(["--reopen"] if given.get("reopen") else []),
            network=network,
            ip=fault.data["address"],
            environment={
                "PGHOST": database.address,
                "PGPORT": str(database.port),
                "PGUSER": user,
                "PGDATABASE": database.name or "postgres",
                "PGPASSFILE": "/passwords",
                "PGSSLMODE": "require",
                "PGCONNECT_TIMEOUT": "5",
                "PGAPPNAME": given.get("application") or f"drydock-{fault.id}",
            },
            mounts=[(passwords, "/passwords", "ro")],
        )
        wait(lambda: self._said(name), _OPEN_SECONDS, "the connections are open")
        said = self._said(name)
        if not said["open"] and not given.get("reopen"):
            raise DrydockError(f"Not one of {count} connections: {said['error']}")
        # Fewer than asked for is what a server without free slots gives.
        fault.note = f"{said['open']} of {count} connections opened {said['error']}".strip()

    def _count(self, part: Part, database: Database, share: float) -> int:
        """Connections that are missing to a share of max_connections."""
        used, most = map(
            int,
            self._sql(
                part,
                database,
                "SELECT count(*) || ' ' || current_setting('max_connections') "
                "FROM pg_stat_activity WHERE backend_type = 'client backend' "
                "AND pid <> pg_backend_pid()",
            ).split(),
        )
        if (count := math.ceil(most * share) - used) < 1:
            raise DrydockError(f"{used} of {most} connections are in use already.")
        return count

    def _said(self, name: str) -> dict | None:
        podman = self.shop.cloud.podman
        lines = podman.command("logs", name, check=False)
        for line in lines.stdout.splitlines():
            if line.startswith("{"):
                return json.loads(line)
        if not any(part.name == name and part.running for part in podman.parts(KIND)):
            raise DrydockError(f"{name} ended: {lines.stderr.strip()[-300:] or 'it said nothing'}")
        return None

    def _sql(self, part: Part, database: Database, statement: str) -> str:
        done = self.shop.cloud.podman.execute(
            part.name,
            ["psql", "--host=/part", f"--port={database.port}", "--username=rdsadmin",
             f"--dbname={database.name or 'postgres'}", "--quiet", "--no-psqlrc",
             "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"],
            user="postgres",
            stdin=statement + ";\n",
        )  # fmt: skip
        if done.code:
            raise DrydockError(f"{part.name} refuses a statement: {done.stderr.strip()}")
        return done.stdout.strip()

    def end(self, fault: Fault) -> None:
        cloud = self.shop.cloud
        cloud.podman.remove(cloud.podman.part_name(KIND, fault.id))
        cloud.settings.path("parts", KIND, fault.id).unlink(missing_ok=True)
        if address := fault.data.pop("address", None):
            cloud.networks.release(address)
        if role := fault.data.get("role"):
            self._drop(fault, role)
            del fault.data["role"]

    def _drop(self, fault: Fault, role: str) -> None:
        """Drops the role where writes go now, unless the database is gone."""
        stems = {hit.id.rpartition("-")[0] for hit in fault.hits}
        found = [d for d in rds.databases() if d.key in stems]
        nodes = [p for p in self.shop.cloud.podman.parts("database") if p.running]
        for database in found:
            holder = next((p for p in nodes if database.address in addresses(p)), None)
            if holder is None:
                raise DrydockError(
                    f"{database.id} has no primary now; undo {fault.id} again when it is back, "
                    f"to drop the role {role}."
                )
            if self._sql(holder, database, _EXISTS.format(role=role)):
                self._sql(holder, database, _DROP.format(role=role))

    def acts(self, fault: Fault, parts: Mapping[str, Part]) -> bool:
        part = parts.get(self.shop.cloud.podman.part_name(KIND, fault.id))
        return bool(part and part.running)


class FillDisk(_DatabaseKind):
    """A file beside the database's own, as large as the instance's storage has room left for."""

    name, undo = "fill-disk", "removes the file"

    def begin(self, fault: Fault, parts: list[Part]) -> None:
        part = self.part(parts)
        database = self.of(part)
        folder = self.shop.cloud.settings.path("parts", "database", part.id)
        size = self._storage(database) - used(folder) - fault.options["leave"]
        if size <= 0:
            raise DrydockError(f"{database.id} has less than that free already.")
        free = shutil.disk_usage(folder).free
        if free - size < _MACHINE_KEEPS:
            raise DrydockError(
                f"Filling {database.id} takes {size / GIB:.1f} GiB; this machine has "
                f"{free / GIB:.1f} GiB free and keeps {_MACHINE_KEEPS // GIB}. Give the instance "
                "less allocated_storage, or --leave more."
            )
        file = folder / f"{fault.id}.fill"
        fault.data["file"] = str(file)
        self.note(fault, part)
        with file.open("wb") as opened:
            os.posix_fallocate(opened.fileno(), 0, size)

    def _storage(self, database: Database) -> int:
        found = self.shop.client("rds").describe_db_instances(DBInstanceIdentifier=database.id)
        return found["DBInstances"][0]["AllocatedStorage"] * GIB

    def end(self, fault: Fault) -> None:
        if file := fault.data.get("file"):
            Path(file).unlink(missing_ok=True)

    def acts(self, fault: Fault, parts: Mapping[str, Part]) -> bool:
        return Path(fault.data.get("file", "/nonexistent")).exists()


def used(folder: Path) -> int:
    """Bytes on disk of everything below a folder."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(path, name).lstat().st_blocks * 512
            except FileNotFoundError:  # the database removes files all the time
                continue
    return total
