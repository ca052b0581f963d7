"""Deployments, and the record that stays of each: AWS's service deployments."""

import datetime
import random
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from drydock.moto.ecs import Definition
from drydock.settings import ACCOUNT_ID

if TYPE_CHECKING:
    from drydock.controllers.ecs.shift import Shift

# What belongs to a revision of a service: a change of any of these is a new deployment, and
# a rollback restores them (ECS API reference, UpdateService).
REVISION = (
    "taskDefinition", "networkConfiguration", "loadBalancers", "serviceRegistries",
    "launchType", "capacityProviderStrategy", "platformVersion", "serviceConnectConfiguration",
    "volumeConfigurations", "vpcLatticeConfigurations",
)  # fmt: skip
# Statuses from which a service deployment can still move on.
GOING = ("IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "STOP_REQUESTED", "ROLLBACK_REQUESTED")


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def arn(region: str, resource: str) -> str:
    return f"arn:aws:ecs:{region}:{ACCOUNT_ID}:{resource}"


def _number() -> str:
    return str(random.randint(10**18, 10**19 - 1))  # noqa: S311


@dataclass(eq=False)
class Deployment:
    """One rollout of a service.

    Attributes:
        revision: the REVISION attributes that its tasks are made from.
        keep: tasks that a superseded deployment still has to hold up.
        failed: tasks in a row that ended before they were fit; one that becomes fit resets it.
        not_before: monotonic time before which no further task is launched.
        rollback: whether a failed deployment made it.
        revision_id: of AWS's service revision; a rollback has that of what it returns to.
        digest: of the image that its tasks run, once one has started.
        groups: the target group that its tasks register in, for each of its load balancers.
        rollout: the record of it that stays.
    """

    definition: Definition
    revision: dict[str, Any]
    rollback: bool = False
    id: str = field(default_factory=lambda: f"ecs-svc/{_number()}")
    state: str = "IN_PROGRESS"
    reason: str = ""
    keep: int = 0
    revision_id: str = field(default_factory=_number)
    digest: str = ""
    groups: tuple[str, ...] = ()
    rollout: "Rollout | None" = None
    failed: int = 0
    not_before: float = 0.0
    created: datetime.datetime = field(default_factory=now)
    updated: datetime.datetime = field(default_factory=now)

    def __post_init__(self) -> None:
        self.reason = self.reason or f"ECS deployment {self.id} in progress."

    def become(self, state: str, reason: str) -> None:
        self.state, self.reason, self.updated = state, reason, now()
        if self.rollout:
            self.rollout.follow(self)


@dataclass(eq=False)
class Rollout:
    """What AWS calls a service deployment: from one revision of a service to another.

    A rollback is part of the rollout that failed, not one of its own.

    Attributes:
        sources: what ran when it began.
        configuration: the service's deploymentConfiguration at that time.
        back: the deployment that rolls it back.
        watched: names of the alarms that can fail it; None until it has been settled which.
        red: those that did.
        whole: monotonic time since when its tasks have all been fit.
        shift: how far the clients are turned; None of a rolling one.
    """

    target: Deployment
    sources: list[Deployment]
    configuration: dict[str, Any]
    status: str = "IN_PROGRESS"
    reason: str = ""
    back: Deployment | None = None
    back_reason: str = ""
    tripped: bool = False
    watched: list[str] | None = None
    red: list[str] = field(default_factory=list)
    failed: int = 0
    whole: float | None = None
    shift: "Shift | None" = None
    id: str = field(default_factory=lambda: secrets.token_urlsafe(15))
    times: dict[str, datetime.datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.target.rollout = self
        self.times = dict.fromkeys(("createdAt", "startedAt", "updatedAt"), self.target.created)

    def follow(self, deployment: Deployment) -> None:
        """Takes over what has become of its target, or of that's rollback."""
        back = deployment is self.back
        self.failed = max(self.failed, self.target.failed)
        if deployment.state == "COMPLETED":
            self._end("ROLLBACK_SUCCESSFUL" if back else "SUCCESSFUL", self.reason)
        elif deployment.state == "FAILED":
            self._end("ROLLBACK_FAILED" if back else "STOPPED", deployment.reason)

    def roll_back(self, back: Deployment, reason: str) -> None:
        back.rollout, self.back, self.back_reason = self, back, reason
        self.status, self.reason, self.times["updatedAt"] = "ROLLBACK_IN_PROGRESS", reason, now()
        for key in ("finishedAt", "stoppedAt"):
            self.times.pop(key, None)

    def supersede(self, by: str = "a newer service deployment") -> None:
        """It ends undecided: something else has taken its place."""
        if self.status in GOING:
            if self.shift:
                self.shift.turn_back()
            self._end("STOPPED", f"Service deployment was stopped by {by}.")

    def _end(self, status: str, reason: str) -> None:
        self.status, self.reason = status, reason
        self.times["updatedAt"] = self.times["finishedAt"] = now()
        if status == "STOPPED":
            self.times["stoppedAt"] = self.times["finishedAt"]
