"""Why events wait: what was seen of a stream and its consumer, and what follows. Without I/O.

Words of the consumer's logs are those of apps/consumer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

REFUSED = 0.2  # of the events tried: from this share on, refused ones are what takes the time
STOPS = 3  # tasks that ended by themselves, from which on a service flaps
BEHIND = 0.2  # of the worst shard's lag: shards above are behind as it is
# Errors of boto3 as the consumer names them; all others it tries again are the database's.
AWS_ERRORS = (
    "ClientError", "ConnectTimeoutError", "ConnectionClosedError", "ConnectionError",
    "EndpointConnectionError", "ReadTimeoutError", "SSLError",
)  # fmt: skip
THROTTLED = ("ProvisionedThroughputExceeded", "ThrottlingException", "LimitExceeded")


@dataclass(frozen=True)
class Task:
    """A running task of the consumer.

    Attributes:
        age: seconds since it started.
        lines: of its log in the time that was looked at; an ordinary one writes some each second
            of METRICS_SECONDS.
        unavailable: of these, those that say that it can't reach the table of leases or the stream.
        trying: of these, tries that failed, by what they name.
    """

    id: str
    age: float
    lines: int = 1
    unavailable: int = 0
    trying: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Shard:
    """A shard that may be read now: not ended, and its parents are.

    Attributes:
        owner: task that has its lease; empty for one that does not run, or nobody.
        alive: whether its lease showed life while it was watched.
        moved: whether its checkpoint did.
        behind: milliseconds, as the consumer last told; None where it told nothing.
    """

    id: str
    owner: str = ""
    alive: bool = True
    moved: bool = True
    behind: float | None = None


@dataclass(frozen=True)
class Lag:
    """What was seen.

    Attributes:
        incoming, applied, rejected: events a second; of the stream and of the consumer.
        throttled: reads of the stream that Kinesis refused, in the time that was looked at.
        watched: seconds that leases were watched. lease_seconds: after which an owner is silent.
        desired, maximum: tasks wanted, and the most that autoscaling allows.
        flapped: tasks that ended by themselves of late.
        rolling: whether a release is taking over.
    """

    shards: Sequence[Shard]
    tasks: Sequence[Task]
    incoming: float = 0
    applied: float = 0
    rejected: float = 0
    throttled: float = 0
    watched: float = 0
    lease_seconds: float = 10
    desired: int = 0
    maximum: int = 0
    flapped: int = 0
    rolling: bool = False
    revision: str = ""


def sentences(seen: Lag) -> list[str]:
    """Return the figures as people read them."""
    said = [
        f"{seen.incoming:.3g} events a second come, {seen.applied:.3g} are applied, "
        f"{seen.rejected:.3g} are refused",
        f"{len(seen.tasks)} of {seen.desired} tasks run, at most {seen.maximum}; "
        f"{len(seen.shards)} shards can be read",
    ]
    for shard in seen.shards:
        lag = "tells no lag" if shard.behind is None else f"is {shard.behind / 1000:.3g} s behind"
        who = f"task {shard.owner[:8]}" if shard.owner else "nobody that runs"
        life = "alive" if shard.alive else f"silent for {seen.watched:.0f} s"
        went = "goes on" if shard.moved else "stands still"
        said.append(f"{shard.id} {lag}; its lease is of {who}, {life}; it {went}")
    for task in seen.tasks:
        words = ", ".join(f"{n}x {what}" for what, n in sorted(task.trying.items())) or "nothing"
        said.append(
            f"task {task.id[:8]}: {task.lines} log lines, {task.unavailable} of them that it "
            f"reaches no AWS, tries again for: {words}"
        )
    return said


def frozen(seen: Lag) -> list[str]:
    """Return the tasks that run and do no work, the owners of shards first.

    A task that is younger than three leases may still be taking over.
    """
    owners = {shard.owner for shard in seen.shards}
    found = []
    for task in sorted(seen.tasks, key=lambda one: (one.id not in owners, one.id)):
        own = [shard for shard in seen.shards if shard.owner == task.id]
        dead = bool(own) and not any(shard.alive for shard in own)
        # Alive by its lease, and yet no record further although records come.
        stuck = (
            bool(own)
            and not any(shard.moved for shard in own)
            and any((shard.behind or 0) > 1000 * seen.lease_seconds for shard in own)
            and not task.trying
        )
        alone = not own and (task.unavailable > 0 or not task.lines)
        if task.age >= 3 * seen.lease_seconds and (dead or stuck or alone):
            found.append(task.id)
    return found


def _trying(seen: Lag) -> tuple[int, int, str]:
    """Return failed tries of the database, of AWS, and what the database's name most."""
    counts: dict[str, int] = {}
    for task in seen.tasks:
        for what, number in task.trying.items():
            counts[what] = counts.get(what, 0) + number
    database = {what: n for what, n in counts.items() if not what.startswith(AWS_ERRORS)}
    most = max(database, key=lambda what: (database[what], what), default="")
    return sum(database.values()), sum(counts.values()) - sum(database.values()), most


def decide(seen: Lag, command: str, workload: str) -> dict[str, Any]:
    """Return what is the matter and what to do: cause, action (none, restart, scale, hand_over),
    because, plan, undo, to; and what the action needs, tasks, count.

    command: how runbooks are started here, up to the file. First comes what makes the others'
    cures useless: tasks that do not run, then those that do not work, then what they wait for.
    """
    because = sentences(seen)
    if seen.rolling:
        return _hand_over("a release is taking over", because, "wait for it, then start this again")
    if not seen.tasks or seen.flapped >= STOPS:
        cause = "no task of the consumer runs" if not seen.tasks else "its tasks do not stay up"
        to = f"{command} runbooks/ecs-tasks-flapping.yml -e workload={workload}"
        return _hand_over(cause, because, to)
    if tasks := frozen(seen):
        return _made(
            f"{len(tasks)} of {len(seen.tasks)} tasks run and do no work",
            "restart",
            because,
            plan=[f"stop task {one[:8]}; another takes its place, and its shards" for one in tasks],
            undo=["can't be undone and need not be: it goes on from the checkpoint"],
            tasks=tasks,
        )
    database, aws, most = _trying(seen)
    if database:
        full = "TooManyConnections" in most
        to = f"{command} runbooks/db-connections-exhausted.yml" if full else (
            "mend the database: its CPU, locks and events (RDS), then it goes on by itself"
        )  # fmt: skip
        return _hand_over(f"the database does not take the events ({most})", because, to)
    if seen.throttled or any(word in what for task in seen.tasks for what in task.trying
                             for word in THROTTLED):  # fmt: skip
        return _hand_over(
            "Kinesis throttles the reading", because,
            "see who else reads the stream; 5 reads a second are a shard's for all of its readers: "
            "more shards (event_stream.shards in the inventory, then provision streaming)",
        )  # fmt: skip
    if aws:
        return _hand_over(
            "AWS refuses the consumer's calls", because,
            "read the reasons in its log: its role, its endpoints, the service's own health",
        )  # fmt: skip
    tried = seen.applied + seen.rejected
    if tried and seen.rejected / tried >= REFUSED:
        to = f"{command} runbooks/dlq-redrive.yml, which says why they are refused"
        return _hand_over("refused events take its time", because, to)
    return _too_much(seen, because)


def _too_much(seen: Lag, because: list[str]) -> dict[str, Any]:
    """All that is read is read well: there is more than can be, everywhere or in some shards."""
    worst = max((shard.behind or 0 for shard in seen.shards), default=0)
    if not worst:
        return _made("every shard is read to its end", "none", because)
    late = [shard for shard in seen.shards if (shard.behind or 0) >= BEHIND * worst]
    readers, shards = len(seen.tasks), len(seen.shards)
    most = min(seen.maximum, shards)
    crowded = len({shard.owner for shard in late}) < len(late)
    if readers < most and (crowded or len(late) == shards):
        count = min(most, max(readers + 1, math.ceil(2 * readers)))
        return _made(
            "more events come than its tasks can apply",
            "scale",
            because,
            plan=[f"run {count} tasks instead of {seen.desired}, one for each of the {shards} "
                  "shards at most"],
            undo=[f"{seen.desired} tasks again if the alarm stays red"],
            count=count,
        )  # fmt: skip
    more = "raise event_stream.shards in the inventory and provision streaming"
    if len(late) < shards:
        names = ", ".join(shard.id for shard in late)
        cause = f"{names} gets more events than one reader can apply, the others do not"
        more += "; the events of one key stay in one shard, so see which keys are that busy"
    else:
        cause = "more events come than a reader of each shard can apply"
    if most == seen.maximum < shards:
        more = f"raise the workload's max_count above {seen.maximum}, then provision platform"
    return _hand_over(cause, because, more)


def _hand_over(cause: str, because: list[str], to: str) -> dict[str, Any]:
    return _made(cause, "hand_over", because, to=to)


def _made(cause: str, action: str, because: list[str], **more: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {"plan": [], "undo": [], "to": "", "tasks": [], "count": 0}
    return {"cause": cause, "action": action, "because": because, **empty, **more}
