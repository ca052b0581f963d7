"""Why a database's connections run out and what to do about it: facts in, a decision out."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from ansible_collections.drydock.ops.plugins.module_utils.connections import (
    IN_TRANSACTION,
    RESTING,
    SHARE,
    Bounds,
    Facts,
    Session,
    Workload,
    survey,
    within,
)

# Tasks of one service that stopped within the last minutes and mean that it flaps.
FLAPPING = 3
# Connections that the proxy opens for one task to begin with.
PROXY_FIRST = 2


def decide(facts: Facts, bounds: Bounds) -> dict[str, Any]:
    """Return what is wrong and what to do.

    Returns a dict of: cause; action (none, end_sessions, use_proxy, resize_pools, hand_over);
    because, plan, follow_up: sentences; targets: the sessions to end, oldest first; workload and
    environment: whom to give which variables; watch: the workload that is restarted if its leak
    comes back; to: whom to hand over to, or what a person has to do.
    """
    if facts.sessions is None:
        return _blind(facts)
    found = survey(facts, bounds)
    clients = [one for one in found if one["backend_type"] == "client backend" and not one["own"]]
    total = len(clients)
    how_full = (
        f"{total} of {facts.max_connections} connections are held ({facts.reserved} are reserved; "
        f"the alarm is red from {facts.alarm_at})"
    )
    if total < facts.alarm_at:
        return _decision(
            "nothing is wrong now", "none", [how_full, "the alarm follows as its periods pass"]
        )
    leaked = sorted((one for one in clients if one["leaked"]), key=lambda one: -one["age"])
    enough = total - min(len(leaked), bounds.max_ended) < facts.alarm_at
    if leaked and (enough or len(leaked) >= SHARE * total):
        return _end(facts, bounds, clients, leaked, how_full)
    if pools := _pools(facts, bounds, clients, how_full):
        return pools
    return _busy(facts, bounds, clients, leaked, how_full)


def _decision(cause: str, action: str, because: list[str], **more: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {
        "plan": [],
        "undo": [],
        "follow_up": [],
        "targets": [],
        "workload": "",
        "environment": {},
        "watch": "",
        "to": "",
    }
    made = {"cause": cause, "action": action, "because": because, **empty, **more}
    if action == "hand_over" and not made["to"]:
        made["to"] = "; ".join(made["follow_up"])
    return made


def target(session: Session, why: str) -> dict[str, Any]:
    """Return what the module that ends sessions needs to know of one, and what people do."""
    names = ("pid", "backend_start", "role", "application", "address", "origin", "state")
    ages = {"age": round(session["age"] or 0), "state_age": round(session["state_age"] or 0)}
    return {**{name: session[name] for name in names}, **ages, "why": why}


def _end(
    facts: Facts, bounds: Bounds, clients: list[Session], leaked: list[Session], how_full: str
) -> dict[str, Any]:
    groups = Counter((one["leaked"], one["role"], one["origin"]) for one in leaked)
    (why, role, whose), count = groups.most_common(1)[0]
    chosen = leaked[: bounds.max_ended]
    names = {workload.name for workload in facts.workloads}
    watch = whose if whose in names else ""
    because = [how_full, f"{len(leaked)} of them are leaked"]
    because += [
        f"{number} of role {who or '-'} from {place}: {reason}"
        for (reason, who, place), number in groups.most_common(5)
    ]
    plan = [f"end {len(chosen)} leaked sessions, oldest first, each looked at again right before"]
    left = len(leaked) - len(chosen)
    if left:
        plan[0] += f"; {left} remain: max_ended is {bounds.max_ended}"
    if watch:
        because.append(f"the leak is in {watch} itself: its own tasks hold these sessions")
        plan.append(f"restart the tasks of {watch} one after another if the leak comes back")
    more: dict[str, Any] = {}
    remaining = [one for one in clients if one not in chosen]
    if len(remaining) >= facts.alarm_at and (
        pools := _pools(facts, bounds, remaining, "what remains is still too much")
    ):
        because += pools["because"]
        plan += pools["plan"]
        more = {name: pools[name] for name in ("workload", "environment", "follow_up", "undo")}
    if not watch:
        note = f"find who opens sessions as {role} from outside the workloads and leaves them so"
        more["follow_up"] = [note, *more.get("follow_up", [])]
    return _decision(
        f"{count} sessions of role {role} from {whose} are leaked: {why}",
        "end_sessions",
        because,
        **{
            **more,
            "plan": plan,
            "undo": [
                "an ended session can't be brought back: its client connects anew",
                *more.get("undo", []),
            ],
            "targets": [target(one, one["leaked"]) for one in chosen],
            "watch": watch,
        },
    )


def _pools(
    facts: Facts, bounds: Bounds, clients: list[Session], how_full: str
) -> dict[str, Any] | None:
    """Return the decision if pools of the workloads' own are too large in sum, else None."""
    direct = [one for one in facts.workloads if not facts.proxy or one.host != facts.proxy]
    held = Counter(one["origin"] for one in clients)
    direct.sort(key=lambda one: -held[one.name])
    if not direct or held[direct[0].name] < SHARE * len(clients):
        return None
    worst = direct[0]
    others = len(clients) - held[worst.name]
    return _shrink(facts, bounds, worst, others, how_full, clients)


def _shrink(
    facts: Facts,
    bounds: Bounds,
    worst: Workload,
    others: int,
    how_full: str,
    clients: list[Session],
) -> dict[str, Any] | None:
    running = max(len(worst.addresses), worst.desired)
    asked = running * worst.pool_max
    if asked + others < facts.alarm_at:
        if worst.stopped_recently >= FLAPPING:
            return _decision(
                f"a storm of new tasks of {worst.name}",
                "hand_over",
                [how_full, f"{worst.stopped_recently} tasks of {worst.name} stopped lately and "
                 "their successors open pools of their own"],
                to=f"runbooks/ecs-tasks-flapping.yml -e workload={worst.name}",
            )  # fmt: skip
        return None
    because = [
        how_full,
        f"{running} tasks of {worst.name} may open {worst.pool_max} connections each: {asked}, "
        f"and {others} are others'; only {facts.usable} are free to all",
    ]
    if worst.rolling:
        because.append(f"a deployment of {worst.name} is under way, so tasks run twice for a while")
    more: dict[str, Any] = {"workload": worst.name}
    if facts.proxy:
        action = "use_proxy"
        first = PROXY_FIRST
        more["environment"] = {"DATABASE_HOST": facts.proxy}
        plan = [f"lead {worst.name} to the proxy {facts.proxy} in place of {worst.host}"]
        key = f"DATABASE_HOST: {facts.proxy}"
    else:
        action = "resize_pools"
        # A deployment runs old and new tasks side by side, so the share must do for both.
        room = facts.alarm_at - 1 - others
        size = math.floor(room / (2 * max(worst.desired, 1)))
        if size < 1 or size >= worst.pool_max:
            because.append(
                f"{room} connections are too few for {2 * worst.desired} tasks, as many as run "
                "during a deployment"
            )
            return _decision(
                f"{worst.name} has more tasks than the database has connections",
                "hand_over",
                because,
                follow_up=["raise database.max_connections or put a proxy before the database"],
            )
        first = min(size, worst.pool_min)
        more["environment"] = {"DATABASE_POOL_MAX": str(size)}
        if size < worst.pool_min:
            more["environment"]["DATABASE_POOL_MIN"] = str(size)
        plan = [f"resize the pool of {worst.name} from {worst.pool_max} to {size} per task"]
        key = f"DATABASE_POOL_MAX: {size}"
    room = _room(facts, bounds, worst, clients, first)
    if room:
        plan.insert(0, f"end {len(room)} idle sessions of {worst.name}, longest unused first, so "
                    "that its new tasks can come in")  # fmt: skip
    return _decision(
        f"the pools of {worst.name} are too large for max_connections",
        action,
        because,
        plan=plan,
        undo=["the revision that ran before is put back"],
        targets=room,
        follow_up=[f"keep it: set {key} in the release of {worst.name} in the inventory, or the "
                   "next deploy takes it back"],
        **more,
    )  # fmt: skip


def _room(
    facts: Facts, bounds: Bounds, worst: Workload, clients: list[Session], first: int
) -> list[dict[str, Any]]:
    """Return idle pool sessions to end so that as many new tasks can start as are wanted.

    first: connections that one new task opens at its start.
    """
    wanted = worst.desired * first - max(facts.usable - len(clients), 0)
    idle = [
        one
        for one in clients
        if one["origin"] == worst.name and one["state"] == RESTING and not one["protected"]
    ]
    idle.sort(key=lambda one: -one["state_age"])
    number = max(0, min(wanted, bounds.max_ended))
    return [target(one, "to make room for new tasks") for one in idle[:number]]


def _busy(
    facts: Facts, bounds: Bounds, clients: list[Session], leaked: list[Session], how_full: str
) -> dict[str, Any]:
    slow = [
        one
        for one in clients
        if one["state"] == "active"
        and (one["state_age"] or 0) >= bounds.query
        and not one["protected"]
        and within(one, bounds)
    ]
    blocked = sum(one["blocked"] for one in clients)
    because = [how_full, f"{len(leaked)} are leaked, too few to matter"]
    if len(slow) + blocked >= SHARE * len(clients):
        because.append(
            f"{len(slow)} queries run for more than {bounds.query:g} s, {blocked} wait for a lock"
        )
        if bounds.end_active and slow:
            slow.sort(key=lambda one: -one["state_age"])
            chosen = slow[: bounds.max_ended]
            return _decision(
                "long queries hold the connections",
                "end_sessions",
                [*because, "end_active was asked for"],
                plan=[f"end {len(chosen)} sessions with the longest queries"],
                undo=["an ended query can't be brought back; its transaction is rolled back"],
                targets=[target(one, "a long query") for one in chosen],
            )
        return _decision(
            "long queries hold the connections",
            "hand_over",
            because,
            follow_up=["look at what these queries are for; -e end_active=true ends them"],
        )
    young = Counter(
        (one["role"], one["origin"], bound)
        for one in clients
        if not one["protected"] and within(one, bounds) and (bound := _young(one, bounds))
    )
    for (role, whose, bound), number in young.most_common(1):
        because.append(
            f"{number} sessions of role {role} from {whose} rest, but for less than the {bound:g} "
            "s from which they count as leaked: start again then"
        )
    kept = Counter(one["protected"] for one in clients if one["protected"])
    because += [f"{number} are never ended: {reason}" for reason, number in kept.most_common(3)]
    return _decision(
        "connections are in use, not leaked",
        "hand_over",
        because,
        follow_up=[
            "name the roles that may be ended by -e end_roles=ROLE, lower the bounds, or raise "
            "database.max_connections"
        ],
    )


def _young(session: Session, bounds: Bounds) -> float:
    """Return the bound in seconds that a resting session has not reached; 0 when none applies."""
    if session["leaked"]:
        return 0
    if session["state"].startswith(IN_TRANSACTION):
        return bounds.idle_in_transaction
    return bounds.idle if session["state"] == RESTING and session["origin"] == "elsewhere" else 0


def _blind(facts: Facts) -> dict[str, Any]:
    """Decide without having been let in: from what ECS says of the pools alone."""
    because = [
        f"all {facts.max_connections} slots are taken, those reserved for rds_superuser too: "
        "nobody could be asked who holds them",
    ]
    direct = [one for one in facts.workloads if not facts.proxy or one.host != facts.proxy]
    direct.sort(key=lambda one: -one.pool_max * max(len(one.addresses), one.desired))
    for worst in direct[:1]:
        made = _shrink(facts, Bounds(), worst, 0, because[0], [])
        if made and made["action"] in ("use_proxy", "resize_pools"):
            return made
    return _decision(
        "every slot is taken and the cause can't be seen",
        "hand_over",
        [*because, "the workloads' pools alone could not fill them"],
        follow_up=[
            "try again, as a slot may come free; or stop one client, or as a last resort reboot "
            "the instance, which ends all sessions"
        ],
    )
