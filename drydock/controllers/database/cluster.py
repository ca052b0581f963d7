"""The servers behind one instance: a primary, with Multi-AZ a standby, and who is which."""

import shutil
import time
from collections.abc import Mapping, Sequence

from drydock.controllers.database.configuration import Place, Upstream, configuration, set_up
from drydock.controllers.database.servers import Member, Servers
from drydock.controllers.database.session import Refused, Session
from drydock.controllers.engines import EngineController
from drydock.errors import DrydockError
from drydock.moto import rds
from drydock.moto.rds import Database
from drydock.podman import Part

_TRIES = 3
_LOST_SECONDS = 3.0  # then commits wait no longer for a standby
_STARTING = "57"  # first two characters of SQLSTATE: the server starts or stops


class Cluster(Servers):
    """Tends one instance's servers.

    Attributes:
        synced: the standby has every commit that was acknowledged.
        full: the storage is used up (told by the meter).
    """

    def __init__(self, engine: EngineController, database: Database, source: "Cluster | None"):
        super().__init__(engine, database, source.password if source else None)
        self.primary = self._member(*self._subnet(database.zone))
        self.standby: Member | None = None
        self.synced = self.full = False
        self._copies = database.source is not None  # it is a replica, and not yet promoted
        self._awaited = False  # commits wait for the standby
        self._since: float | None = None  # when the primary was told so
        self._mark: int | None = None
        self._set_up: tuple[object, ...] | None = None
        self._failed: dict[str, str] | None = None
        self._rebooted = False
        self._slots: set[str] = set()
        self._stale = False  # slots of copies that are gone

    @property
    def members(self) -> list[Member]:
        return [self.primary, *([self.standby] if self.standby else [])]

    @property
    def busy(self) -> bool:
        """Whether there is something to do that no change of the API tells of."""
        if self._copies:
            return self.primary.missing_since is not None
        waits = self.database.multi_az and not self.synced
        return self.database.status == "available" and (waits or self._stale)

    def role(self, member: Member) -> str:
        if member is self.standby:
            return "standby"
        return "replica" if self._copies else "primary"

    def serves(self, slot: str) -> bool:
        """Whether a replica can begin to copy from here."""
        return slot in self._slots and self.primary.watch.fresh

    def drop(self) -> None:
        """Removes every server with its data, and gives the addresses back."""
        for member in self.members:
            self._drop(member)
        self._engine.cloud.networks.release(self.endpoint)

    # --- one pass ----------------------------------------------------------------

    def tend(
        self,
        database: Database,
        parts: Mapping[str, Part],
        source: "Cluster | None",
        replicas: Sequence["Cluster"],
    ) -> None:
        """Brings the servers a step nearer to what the API asks for."""
        self.database, self._parts = database, dict(parts)
        if database.status in ("stopping", "stopped"):
            return self._rest("stopped")
        if self.full:
            if database.status != "storage-full":
                text = (
                    "Allocated storage has been exhausted. Allocate additional storage to resolve."
                )
                rds.tell(database, text, "failure")
            return self._rest("storage-full")
        if database.status == "incompatible-parameters" and self._failed == configuration(database):
            return None
        if database.status == "rebooting" and not self._rebooted:
            self._rebooted = True
            return self._reboot()
        if self._mend():
            return None
        ready = self._tend_replica(source) if self._copies else self._tend_primary(replicas)
        if ready and database.status != "available":
            self._available()
        return None

    def _available(self) -> None:
        database = self.database
        if database.status == "rebooting" and not database.failover:
            rds.tell(database, "DB instance restarted", "availability")
        self._rebooted, self._failed = False, None
        rds.placed(database, self.primary.zone, self.standby.zone if self.standby else None)
        rds.set_status(database, "available", self.endpoint)
        self._log(f"is available at {self.endpoint}:{database.port}")

    def _rest(self, status: str) -> None:
        for member in self.members:
            part = self._parts.get(member.node.id)
            if part and part.running:
                self._stop(member)
        if self.database.status != status:
            rds.set_status(self.database, status)

    def _reboot(self) -> None:
        if self.database.failover:
            if self._may_fail_over():
                return self._fail_over()
            text = (
                "Amazon RDS is not attempting a requested failover because a failover recently "
                "occurred on the DB instance."
            )
            rds.tell(self.database, text, "failover")
        for member in self.members:
            self._stop(member)
            self._remove(member)
        return None

    # --- primary -----------------------------------------------------------------

    def _tend_primary(self, replicas: Sequence["Cluster"]) -> bool:
        """True when the instance is what the API asks for."""
        database, primary = self.database, self.primary
        copies = [m.node.address for m in self.members] + [
            replica.primary.node.address for replica in replicas
        ]
        awaited = self.standby.slot if self.standby and self._awaited else None
        self._write(primary, Place(copies=copies, awaited=awaited))
        if self._start(primary):
            if primary.tries > _TRIES:
                primary.tries, self._failed = 0, configuration(database)
                self._rebooted = False
                rds.set_status(database, "incompatible-parameters")
            return False
        others = [m.node for m in self.members if m is not primary]
        self._engine.hold(self.endpoint, primary.node, others, self._parts)
        password = rds.new_password() if database.rotating else database.password
        wish = (database.user, password, database.name)
        try:
            if primary.reload or wish != self._set_up:
                with primary.session(database.port) as session:
                    session.query("SELECT pg_reload_conf()")
                    primary.reload = False
                    if wish != self._set_up:
                        self._make_roles(session, password)
            if database.rotating:
                rds.finish_rotation(database, password)
            self._set_up = wish
            primary.tries = 0
            if self._awaited:
                self._since = self._since or time.monotonic()
            self._keep_slots({replica.replica_slot for replica in replicas})
        except OSError:
            return False
        except Refused as refusal:
            if refusal.code.startswith(_STARTING):
                return False
            raise DrydockError(f"{database.id} refuses its set-up: {refusal}") from None
        self._tend_standby()
        waits = database.multi_az and database.status in ("creating", "modifying")
        return self.synced or not waits

    def _make_roles(self, session: Session, password: str) -> None:
        session.query("SET statement_timeout = 0")
        session.query("SET synchronous_commit = local")  # a missing standby delays no set-up
        for question, statement in set_up(self.database, password, self.password):
            if not session.query(question):
                session.query(statement, timeout=30)

    def _keep_slots(self, replicas: set[str]) -> None:
        """Makes the copies' slots at the primary, and removes those of copies that are gone."""
        wanted = replicas | ({self.standby.slot} if self.standby else set())
        if wanted == self._slots and not self._stale:
            return
        self._slots, self._stale = set(wanted), False
        with self.primary.session(self.database.port) as session:
            found = session.query(
                "SELECT slot_name, wal_status, active_pid FROM pg_replication_slots "
                "WHERE slot_type = 'physical' AND slot_name LIKE 'rds\\_%'"
            )
            for name, status, user in found:
                if name in wanted and status != "lost":
                    wanted.discard(name)
                elif user:  # of a copy that is gone, or about to be told
                    session.query(f"SELECT pg_terminate_backend({user})")
                    self._stale = True
                    wanted.discard(name or "")
                else:
                    session.query(f"SELECT pg_drop_replication_slot('{name}')")
            for name in wanted:
                session.query(f"SELECT pg_create_physical_replication_slot('{name}', true)")

    # --- standby -----------------------------------------------------------------

    def _tend_standby(self) -> None:
        database = self.database
        if not database.multi_az:
            if self.standby:
                gone, self.standby = self.standby, None
                self._alone()
                self._drop(gone)
            return
        if self.standby is None:
            zone = next((pair for pair in database.subnets if pair[0] != self.primary.zone), None)
            self.standby = self._member(*(zone or database.subnets[0]))
            return
        standby, seen = self.standby, self.primary.watch.seen
        if seen is None or not self.primary.watch.fresh or standby.slot not in self._slots:
            return
        upstream = Upstream(self.primary.node.address, database.port, standby.slot)
        if self._follow(standby, upstream, seen.limits, standby.slot in seen.copies):
            self._slots.discard(standby.slot)
            self._alone()
        copy = seen.copies.get(standby.slot)
        if copy and not self._awaited:
            self._awaited, self._since, self._mark = True, None, None
            self._engine.wake()
        elif copy and copy.awaited and not self.synced:
            # Only what was committed after every process knows whom to wait for counts.
            if self._mark is None and self._since and seen.at > self._since + 1:
                self._mark = seen.position
            self.synced = self._mark is not None and copy.position >= self._mark
            if self.synced:
                self._log(f"has a standby in sync, {standby.node.id}")
        elif not copy and self._awaited and _longer(standby.missing_since, _LOST_SECONDS):
            self._log("goes on without its standby")
            self._alone()

    def _alone(self) -> None:
        """From now on commits wait for nobody, so that no standby may take over."""
        self.synced = self._awaited = False
        self._engine.wake()

    # --- replica -----------------------------------------------------------------

    def _tend_replica(self, source: "Cluster | None") -> bool:
        replica, database = self.primary, self.database
        if source is None or database.source is None:
            return self._promote_replica()
        if not source.serves(replica.slot) or source.primary.watch.seen is None:
            if replica.told:
                replica.missing_since = None  # its source's matter, not its own
            return False
        upstream = Upstream(source.endpoint, source.database.port, replica.slot)
        seen = replica.watch.seen
        follows = bool(seen and seen.streaming and replica.watch.fresh)
        if self._follow(replica, upstream, source.primary.watch.seen.limits, follows):
            source._slots.discard(replica.slot)
        self._engine.hold(self.endpoint, replica.node, [], self._parts)
        return follows

    def _promote_replica(self) -> bool:
        if self._start(self.primary):
            return False
        try:
            self._promote(self.primary)
        except (OSError, Refused):
            return False
        self._copies = False
        self._engine.wake()
        return False

    # --- taking over -------------------------------------------------------------

    def _mend(self) -> bool:
        """Acts on a primary that died or hangs; True when all the rest has to wait."""
        primary = self.primary
        part = self._parts.get(primary.node.id)
        dead = primary.watch.answered and not (part and part.running)
        hung = primary.watch.hung
        if (dead or hung) and not self._copies and self._may_fail_over():
            self._log(f"fails over: {primary.node.id} {'hangs' if hung else 'died'}")
            self._fail_over()
            return True
        if hung:
            self._log(f"restarts {primary.node.id}, which hangs")
            self._remove(primary)
        primary.watch.begin() if dead else None
        if (dead or hung) and self.database.status == "available":
            rds.tell(self.database, "DB instance restarted", "availability")
        return False

    def _may_fail_over(self) -> bool:
        return self.synced and self.standby is not None and self.standby.watch.fresh

    def _fail_over(self) -> None:
        """Ends the primary, promotes the standby and gives it the endpoint's address.

        If the promotion fails, the primary is still the primary, has all the data, and is
        started again.
        """
        database, old, new = self.database, self.primary, self.standby
        if new is None:
            raise DrydockError(f"{database.id} has no standby to fail over to.")
        rds.tell(database, "Multi-AZ instance failover started.", "failover")
        self._alone()
        self._remove(old)
        self._promote(new)
        self.primary, self.standby, self._slots = new, old, set()
        shutil.rmtree(old.node.folder / "data", ignore_errors=True)
        self._engine.hold(self.endpoint, new.node, [old.node], self._parts)
        new.reload, new.missing_since, old.told = True, None, {}
        rds.placed(database, new.zone, old.zone)
        if database.failover:
            rds.tell(database, "DB instance restarted", "availability")
        rds.tell(database, "Multi-AZ instance failover completed", "failover", "notification")
        self._log(f"has failed over to {new.node.id}")
        self._engine.wake()


def _longer(since: float | None, seconds: float) -> bool:
    return since is not None and time.monotonic() > since + seconds
