"""The servers of one instance, one by one: made, told, started, followed, ended."""

import itertools
import secrets
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from drydock.controllers.database.configuration import START, Place, Upstream, configuration
from drydock.controllers.database.session import Session
from drydock.controllers.database.watch import Watch
from drydock.controllers.engines import EngineController, Node
from drydock.errors import DrydockError
from drydock.moto.rds import Database
from drydock.podman import Part

_STOP_SECONDS = 20
_REBUILD_SECONDS = 20.0  # then a copy that runs but can't follow is made anew


@dataclass
class Member:
    """One server.

    Attributes:
        slot: its name at the server that it copies.
        told: the files last written.
        tries: starts since it last worked.
        missing_since: when it stopped to follow its source; None while it does.
    """

    node: Node
    zone: str
    slot: str
    watch: Watch
    told: dict[str, str] = field(default_factory=dict)
    reload: bool = False
    tries: int = 0
    started_at: float = 0.0
    missing_since: float | None = None

    def session(self, port: int) -> Session:
        return Session(self.node.folder, port)


class Servers:
    """What can be done with an instance's servers, whichever role they have.

    Attributes:
        endpoint: the instance's address; the primary holds it.
        password: the replication role's; a replica has its source's.
    """

    def __init__(self, engine: EngineController, database: Database, password: str | None):
        self._engine, self.database = engine, database
        self._numbers = itertools.count(1)
        self._parts: dict[str, Part] = {}
        self.password = password or secrets.token_urlsafe(24)
        self.endpoint = engine.cloud.networks.allocate(self._subnet(database.zone)[1])

    @property
    def replica_slot(self) -> str:
        """The name of a replica's slot at its source."""
        return f"rds_replica_{self.database.key[-6:]}"

    def _log(self, text: str) -> None:
        self._engine.log.info("%s %s", self.database.id, text)

    def _subnet(self, zone: str) -> tuple[str, str]:
        """The subnet in a zone, else the group's first; as (zone, subnet id)."""
        subnets = self.database.subnets
        return next((pair for pair in subnets if pair[0] == zone), subnets[0])

    def _member(self, zone: str, subnet_id: str) -> Member:
        # Numbered, not called primary and standby: a failover swaps those.
        number = next(self._numbers)
        node = self._engine.node(f"{self.database.key}-{number}", subnet_id, self.endpoint)
        authority = self._engine.cloud.authority.certificate
        shutil.copyfile(authority, node.folder / "ca.pem")
        secret = node.folder / "pgpass"
        secret.touch(mode=0o600)
        secret.write_text(f"*:*:*:*:{self.password}\n")
        slot = self.replica_slot if self.database.source else f"rds_node_{number}"
        watch = Watch(node, self.database.port, self._engine.wake)
        return Member(node, zone, slot, watch)

    def _drop(self, member: Member) -> None:
        member.watch.end()
        self._engine.drop_node(member.node.id)

    def _follow(
        self, member: Member, upstream: Upstream, limits: Mapping[str, int], follows: bool
    ) -> bool:
        """Starts, reloads or rebuilds a copy; True when it had to be ended."""
        self._write(member, Place(upstream=upstream, limits=limits))
        if self._start(member):
            member.missing_since = member.missing_since or time.monotonic()
            return False
        if member.reload and member.watch.fresh:
            with member.session(upstream.port) as session:
                session.query("SELECT pg_reload_conf()")
            member.reload = False
        now = time.monotonic()
        if member.watch.hung:
            self._log(f"restarts {member.node.id}, which hangs")
            member.missing_since = now
            self._remove(member)
            return True
        if follows:
            member.missing_since, member.tries = None, 0
            return False
        member.missing_since = member.missing_since or now
        # While it makes its base backup it does not answer, and that may take long.
        since = max(member.missing_since, member.started_at)
        if member.watch.answered and now > since + _REBUILD_SECONDS:
            self._log(f"has {member.node.id} made anew: it can't follow")
            self._remove(member)
            shutil.rmtree(member.node.folder / "data", ignore_errors=True)
            return True
        return False

    def _promote(self, member: Member) -> None:
        with member.session(self.database.port) as session:
            if session.query("SELECT pg_is_in_recovery()") == [("t",)]:
                session.query("SELECT pg_promote(true, 30)", timeout=40)
            if session.query("SELECT pg_is_in_recovery()") != [("f",)]:
                raise DrydockError(f"{member.node.id} was not promoted within 30 s.")

    def _write(self, member: Member, place: Place) -> None:
        files = configuration(self.database, place)
        if files == member.told:
            return
        for name, content in files.items():
            (member.node.folder / name).write_text(content)
        member.told, member.reload = files, True

    def _start(self, member: Member) -> bool:
        """Sees that a server runs; True when it did not."""
        part = self._parts.get(member.node.id)
        if part and part.running:
            return False
        if time.monotonic() < member.started_at + min(member.tries, 3):
            return True  # it ended at once: not again this instant
        member.watch.begin()
        member.started_at, member.reload = time.monotonic(), False
        member.tries += 1
        self._engine.start_node(member.node, part, ["sh", "-c", START])
        return True

    def _stop(self, member: Member) -> None:
        part = self._parts.get(member.node.id)
        if part and part.state == "paused":  # it could not obey
            self._remove(member)
        else:
            self._engine.cloud.podman.stop(self._engine.part_name(member.node), _STOP_SECONDS)
        member.watch.begin()

    def _remove(self, member: Member) -> None:
        """Ends a server at once, in whatever state it is.

        Raises:
            DrydockError: it still runs.
        """
        podman = self._engine.cloud.podman
        podman.remove(self._engine.part_name(member.node))
        self._parts.pop(member.node.id, None)
        member.watch.begin()
        left = [p for p in podman.parts(self._engine.kind) if p.id == member.node.id]
        if any(part.running for part in left):
            raise DrydockError(f"{left[0].name} can't be ended; nothing takes over from it.")
