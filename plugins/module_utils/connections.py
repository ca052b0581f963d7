"""Who holds a database's connections, which of them are leaked, and which are never ended."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.drydock.ops.plugins.module_utils.postgres import OWN_APPLICATION

Session = dict[str, Any]
RESTING = "idle"
IN_TRANSACTION = "idle in transaction"
# A share of all connections that explains the whole: less is not the cause.
SHARE = 0.25
# Fewer than this an administrator may well have open; of their tools any number is theirs.
CROWD = 10
PERSONS_TOOL = re.compile("psql|pg_|pgAdmin|DBeaver|DataGrip|PostgreSQL JDBC", re.I)


@dataclass(frozen=True)
class Bounds:
    """What may be ended. Times in seconds; empty lists mean every role, every application."""

    idle_in_transaction: float = 30
    idle: float = 60
    query: float = 300
    roles: list[str] = field(default_factory=list)
    applications: list[str] = field(default_factory=list)
    max_ended: int = 50
    end_active: bool = False


@dataclass(frozen=True)
class Workload:
    """One workload that uses the database, from ECS.

    Attributes:
        addresses: of its running tasks; stopped: of tasks that ECS still remembers.
        pool_max: most connections of one task, from the running revision.
        host: DATABASE_HOST of the running revision.
        stopped_recently: tasks that stopped by themselves in the last minutes.
    """

    name: str
    addresses: frozenset[str] = frozenset()
    stopped: frozenset[str] = frozenset()
    pool_max: int = 10
    pool_min: int = 2
    host: str = ""
    desired: int = 1
    rolling: bool = False
    stopped_recently: int = 0


@dataclass(frozen=True)
class Facts:
    """What was found. sessions is None where the database had no slot for asking."""

    max_connections: int
    reserved: int
    alarm_at: int
    sessions: list[Session] | None
    workloads: list[Workload] = field(default_factory=list)
    proxy: str = ""
    proxy_addresses: frozenset[str] = frozenset()

    @property
    def usable(self) -> int:
        """Slots that are reserved for nobody."""
        return self.max_connections - self.reserved


def origin(session: Session, facts: Facts) -> str:
    """Return whose session it is: a workload's name, `proxy`, `stopped task` or `elsewhere`."""
    address = session["address"]
    for workload in facts.workloads:
        if address in workload.addresses:
            return workload.name
    if address in facts.proxy_addresses:
        return "proxy"
    if any(address in workload.stopped for workload in facts.workloads):
        return "stopped task"
    return "elsewhere"


def protected(session: Session, whose: str, bounds: Bounds, crowd: bool = False) -> str:
    """Return why a session is never ended; empty when it may be.

    crowd: it is one of so many of one program at one address that no person opened them.
    """
    if session["own"] or session["application"].startswith(OWN_APPLICATION):
        return "a runbook's own"
    if session["backend_type"] != "client backend":
        kind = session["backend_type"]
        return "replication" if kind == "walsender" else f"the server's own ({kind})"
    # rdsadmin, rdsrepladmin, rdsproxyadmin and what RDS makes next.
    if session["superuser"] or session["role"].startswith("rds"):
        return "RDS's own, or a superuser's"
    if session["replication"]:
        return "a role that may replicate"
    # The workloads log in as the master user, which is an administrator: their sessions are
    # known by the address they come from. Everybody else's of that role is a person's, but for
    # more than a person ever opens.
    persons = session["admin"] and whose == "elsewhere" and not crowd
    if persons and session["role"] not in bounds.roles:
        return "an administrator's"
    return ""


def survey(facts: Facts, bounds: Bounds) -> list[Session]:
    """Return the client sessions with `origin`, `protected` and `leaked` (why; empty: it isn't)."""
    found = []
    crowds = _crowds(facts.sessions or [])
    for session in facts.sessions or []:
        whose = origin(session, facts)
        keep = protected(session, whose, bounds, _program(session) in crowds)
        found.append({**session, "origin": whose, "protected": keep, "leaked": ""})
    for session in found:
        if not session["protected"] and within(session, bounds):
            session["leaked"] = _leaked(session, bounds)
    for workload in facts.workloads:
        for address in workload.addresses:
            own = [s for s in found if s["address"] == address and not s["protected"]]
            # A pool hands out what it used last: its leaked sessions are those longest unused.
            own.sort(key=lambda s: s["state_age"] if s["state"] == RESTING else 0)
            for session in own[workload.pool_max :]:
                if session["state"] == RESTING and within(session, bounds):
                    session["leaked"] = f"beyond its task's pool of {workload.pool_max}"
    return found


def _program(session: Session) -> tuple[str, str, str]:
    return session["role"], session["application"], session["address"]


def _crowds(sessions: list[Session]) -> set[tuple[str, str, str]]:
    """Return (role, application, address) of programs that hold a share of all connections."""
    clients = [one for one in sessions if one["backend_type"] == "client backend"]
    held = Counter(map(_program, clients))
    return {
        program
        for program, number in held.items()
        if number >= max(CROWD, SHARE * len(clients)) and not PERSONS_TOOL.match(program[1])
    }


def within(session: Session, bounds: Bounds) -> bool:
    return (not bounds.roles or session["role"] in bounds.roles) and (
        not bounds.applications or session["application"] in bounds.applications
    )


def _leaked(session: Session, bounds: Bounds) -> str:
    state, age = session["state"], session["state_age"] or 0
    if state.startswith(IN_TRANSACTION) and age >= bounds.idle_in_transaction:
        return "idle in transaction"
    if state == RESTING and session["origin"] == "stopped task":
        return "of a task that has stopped"
    if state == RESTING and session["origin"] == "elsewhere" and age >= bounds.idle:
        return "idle for long"
    return ""


def table(found: list[Session]) -> list[dict[str, Any]]:
    """Return who holds connections: by role, application, origin, state; most first."""
    groups: dict[tuple[str, ...], list[Session]] = {}
    for session in found:
        if session["backend_type"] == "client backend" and not session["own"]:
            key = tuple(session[name] for name in ("role", "application", "origin", "state"))
            groups.setdefault(key, []).append(session)
    rows = []
    for (role, application, whose, state), members in groups.items():
        rows.append(
            {
                "role": role,
                "application": application,
                "origin": whose,
                "addresses": sorted({one["address"] for one in members})[:5],
                "state": state,
                "sessions": len(members),
                "leaked": sum(bool(one["leaked"]) for one in members),
                "protected": next((one["protected"] for one in members if one["protected"]), ""),
                "oldest_seconds": round(max(one["age"] or 0 for one in members)),
                "longest_in_state_seconds": round(max(one["state_age"] or 0 for one in members)),
            }
        )
    return sorted(rows, key=lambda row: (-row["sessions"], row["role"], row["state"]))


def lines(rows: list[dict[str, Any]]) -> list[str]:
    """Return the table as a person reads it at night."""
    head = ("SESSIONS", "LEAKED", "ROLE", "APPLICATION", "FROM", "STATE", "IN STATE", "OLDEST")
    cells = [head] + [
        (
            str(row["sessions"]),
            str(row["leaked"]),
            row["role"] or "-",
            row["application"] or "-",
            f"{row['origin']} {','.join(row['addresses'])}".strip(),
            row["state"] + (f" (never ended: {row['protected']})" if row["protected"] else ""),
            f"{row['longest_in_state_seconds']} s",
            f"{row['oldest_seconds']} s",
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    return [
        "  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]
