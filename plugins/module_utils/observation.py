"""What was seen of one service: plain data, from which plugins/module_utils/diagnosis.py judges.

Spans of time are counted in metric periods, so that they mean the same where a period lasts
60 s as where it lasts 5 s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

ERROR_SHARE = 2.0  # % of requests answered 5xx from which on a service is said to fail
LATENCY_SECONDS = 1.0  # p99; the latency alarm's threshold
CPU_PERCENT = 85.0  # of what the tasks reserve; the CPU alarm's threshold
GROWTH = 1.5  # from which factor on requests or latency have risen
MIN_LINES = 5  # requests in a task's log from which on its share of errors says something
# What failed requests say when the service's dependencies, or the task's own connections to
# them, are what is short.
NODE_WORDS = ("nodes_away", "nodes_late")  # of apps/rpc_cache: Solana's nodes are what is short
DEPENDENCY_WORDS = (
    "database", "connection refused", "too many clients", "connection slots", *NODE_WORDS,
)  # fmt: skip
BUSY_WORDS = ("busy",)


@dataclass(frozen=True)
class Change:
    """A figure now and before it all began; None where nothing was measured."""

    now: float | None = None
    before: float | None = None

    @property
    def factor(self) -> float | None:
        return self.now / self.before if self.now is not None and self.before else None

    def grown(self) -> bool:
        return self.factor is not None and self.factor >= GROWTH


@dataclass(frozen=True)
class Release:
    """One deployment of the service.

    Attributes:
        definition: family and number of the task definition, such as `hello:7`.
        started, finished: seconds since 1970.
        status: of ListServiceDeployments.
        share: usual % of requests answered 5xx while it served; None where too few were made.
        lacks: what it needs in order to run and is gone, in words; empty when nothing is.
    """

    definition: str
    started: float
    finished: float | None = None
    status: str = "SUCCESSFUL"
    share: float | None = None
    lacks: str = ""


@dataclass(frozen=True)
class Task:
    """A task that is meant to run.

    Attributes:
        target: healthy, unhealthy, initial, draining, unused; empty without a target group.
        lines, errors: requests in the newest part of its log, and those answered 5xx.
        age: seconds since it started.
    """

    id: str
    definition: str
    target: str = "healthy"
    lines: int = 0
    errors: int = 0
    age: float = 1e6

    @property
    def share(self) -> float | None:
        return 100 * self.errors / self.lines if self.lines >= MIN_LINES else None


@dataclass(frozen=True)
class Stopped:
    """A task that has ended; `code` is ECS's stopCode, `at` in seconds since 1970."""

    id: str
    definition: str
    at: float
    code: str
    reason: str = ""

    @property
    def by_itself(self) -> bool:
        """Whether it failed, rather than was asked to go by a person, a release or a scaling."""
        return (
            self.code in ("TaskFailedToStart", "EssentialContainerExited")
            or "failed ELB health checks" in self.reason
            or "failed container health checks" in self.reason
        )


@dataclass(frozen=True)
class Observation:
    """What was seen of one service.

    Attributes:
        at: when, in seconds since 1970. period: of a metric, in seconds.
        began: when what is wrong began; None where the metrics show nothing wrong.
        share: % of requests answered 5xx by a task or, of late, by the load balancer instead.
        requests: per second. latency: p99 in seconds. cpu: % of what the tasks reserve.
        target_errors, balancer_errors: 5xx since it began, by who gave them.
        kinds: what failed requests say of their cause, counted; of the tasks' logs.
        logs: whether any log could be read.
        connections, limit: of the database; 0 where the workload has none.
        current: task definition of the service now.
        releases: newest first. rolling_back: ECS itself is returning to an earlier one.
    """

    at: float
    period: int
    began: float | None = None
    share: Change = Change()
    requests: Change = Change()
    latency: Change = Change()
    cpu: Change = Change()
    target_errors: int = 0
    balancer_errors: int = 0
    kinds: Mapping[str, int] = field(default_factory=dict)
    logs: bool = True
    connections: float = 0
    limit: float = 0
    desired: int = 0
    maximum: int = 0
    current: str = ""
    releases: Sequence[Release] = ()
    rolling_back: bool = False
    tasks: Sequence[Task] = ()
    stopped: Sequence[Stopped] = ()

    @property
    def failing(self) -> bool:
        return (self.share.now or 0) >= ERROR_SHARE

    @property
    def late(self) -> bool:
        return (self.latency.now or 0) >= LATENCY_SECONDS

    @property
    def busy(self) -> bool:
        return (self.cpu.now or 0) >= CPU_PERCENT

    def share_of(self, words: Sequence[str]) -> float | None:
        """% of failed requests whose cause has one of these words; None where no log says."""
        total = sum(self.kinds.values())
        if not total:
            return None
        named = [n for kind, n in self.kinds.items() if any(word in kind.lower() for word in words)]
        return 100 * sum(named) / total

    def most(self, number: int = 3) -> str:
        """The most frequent causes in the logs, counted."""
        return ", ".join(f"{n}x {kind}" for kind, n in Counter(self.kinds).most_common(number))

    def ago(self, periods: float) -> float:
        return self.at - periods * self.period


@dataclass
class Finding:
    """One cause, whether it holds, and why: `pro` speaks for it, `contra` against it."""

    cause: str
    holds: bool = False
    pro: list[str] = field(default_factory=list)
    contra: list[str] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)
    release: Release | None = None
    target: Release | None = None
    count: int = 0
