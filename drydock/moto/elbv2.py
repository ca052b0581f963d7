"""Load balancers, listeners, rules and target groups as ELB's API holds them, and the table
of targets.

moto keys targets by id alone and calls every target healthy; here a target is (id, port), as
on AWS, and its health is what the load balancer last observed. Source of states, reason codes
and descriptions: the ELB API reference, ``TargetHealth``.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.backends import get_backend
from moto.elbv2.models import FakeLoadBalancer, FakeTargetGroup

from drydock.errors import ApiError
from drydock.settings import ACCOUNT_ID


@dataclass(frozen=True)
class TargetHealth:
    """AWS's words for a target.

    Attributes:
        state: initial, healthy, unhealthy, draining or unused.
        reason: e.g. ``Target.FailedHealthChecks``; empty when healthy.
        description: one sentence; empty when healthy.
    """

    state: str
    reason: str = ""
    description: str = ""


HEALTHY = TargetHealth("healthy")
REGISTERING = TargetHealth(
    "initial", "Elb.RegistrationInProgress", "Target registration is in progress"
)
CHECKING = TargetHealth(
    "initial", "Elb.InitialHealthChecking", "Initial health checks in progress"
)
DRAINING = TargetHealth(
    "draining", "Target.DeregistrationInProgress", "Target deregistration is in progress"
)
NOT_IN_USE = TargetHealth(
    "unused",
    "Target.NotInUse",
    "Target group is not configured to receive traffic from the load balancer",
)
NOT_REGISTERED = TargetHealth(
    "unused", "Target.NotRegistered", "Target is not registered to the target group"
)


@dataclass(frozen=True)
class HealthCheck:
    """How a target group asks its targets whether they are well.

    Attributes:
        protocol: HTTP, HTTPS or TCP.
        port: a number, or ``traffic-port`` for the target's own.
        interval, timeout: seconds.
        matcher: HTTP codes that mean well, e.g. ``200,301-399``; empty for TCP.
    """

    protocol: str
    path: str
    port: str
    interval: int
    timeout: int
    healthy_threshold: int
    unhealthy_threshold: int
    matcher: str


@dataclass
class Target:
    """One registered (or draining) target.

    Attributes:
        id: what the API calls it: an IP address or an instance id.
        address: where it is reached.
        drained_by: monotonic time at which draining ends whatever is still in flight;
            None while registered.
    """

    id: str
    address: str
    port: int
    health: TargetHealth = REGISTERING
    drained_by: float | None = None

    @property
    def draining(self) -> bool:
        return self.drained_by is not None


def register_target(target_group_arn: str, ip: str, port: int) -> None:
    """Registers an address; it gets no request before its first successful health check.

    A draining target comes back as a new one. Raises ApiError when the group is unknown.
    """
    raise NotImplementedError


def deregister_target(target_group_arn: str, ip: str, port: int) -> None:
    """Starts draining; the target leaves :func:`target_health` when that has ended.

    Deregistering what is not registered does nothing. Raises ApiError when the group is
    unknown.
    """
    raise NotImplementedError


def target_health(target_group_arn: str) -> dict[tuple[str, int], TargetHealth]:
    """(address, port) → health of every registered or draining target.

    Empty when the group is gone.
    """
    raise NotImplementedError


def health_check(target_group_arn: str) -> HealthCheck:
    """The group's health check. Raises ApiError when the group is unknown."""
    raise NotImplementedError


def has_listener(target_group_arn: str) -> bool:
    """Whether some listener or rule forwards to the group."""
    raise NotImplementedError
