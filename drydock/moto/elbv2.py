"""Load balancers, listeners, rules and target groups as ELB's API holds them, and the table
of targets.

moto keys targets by id alone and calls every target healthy; here a target is (id, port), as
on AWS, and its health is what the load balancer last observed. Source of states, reason codes
and descriptions: the ELB API reference, ``TargetHealth``.
"""

import itertools
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
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
CHECKING = TargetHealth("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
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


@dataclass(frozen=True)
class Target:
    """One registered (or draining) target.

    Attributes:
        id: what the API calls it: an IP address or an instance id.
        address: where it is reached.
        serial: tells this registration from an earlier one of the same address and port.
        drained_by: monotonic time at which draining ends whatever is still in flight;
            None while registered.
    """

    id: str
    address: str
    port: int
    serial: int
    health: TargetHealth = REGISTERING
    drained_by: float | None = None

    @property
    def draining(self) -> bool:
        return self.drained_by is not None


# --- the table of targets ---------------------------------------------------------------

_REPORT_SECONDS = 10  # after which a load balancer that says nothing is not waited for
_lock = threading.RLock()
_serials = itertools.count(1)
_listeners: list[Callable[[], None]] = []


def on_target_change(call: Callable[[], None]) -> None:
    """Asks to be told, from whichever thread, that a target was registered or deregistered."""
    _listeners.append(call)


def tell() -> None:
    """Says that a target, or where a rule sends requests, has changed."""
    for call in _listeners:
        call()


def _backend(arn: str) -> Any:
    return get_backend("elbv2")[ACCOUNT_ID][arn.split(":")[3]]


def _group(arn: str) -> FakeTargetGroup:
    group = _backend(arn).target_groups.get(arn) if arn.count(":") > 3 else None
    if group is None:
        raise ApiError("TargetGroupNotFound", f"Target group {arn} does not exist.")
    return group


def table(group: FakeTargetGroup) -> dict[tuple[str, int], Target]:
    """The group's targets, (id, port) → target. Only for use under this module's functions
    and moto's patches."""
    return vars(group).setdefault("drydock_targets", {})


def register(group: FakeTargetGroup, identifier: str, address: str, port: int) -> None:
    """Registers a target of any type; what is registered already stays as it is."""
    with _lock:
        known = table(group).get((identifier, port))
        if known and not known.draining:
            return
        table(group)[identifier, port] = Target(identifier, address, port, next(_serials))
    tell()


def deregister(group: FakeTargetGroup, identifier: str, port: int | None) -> None:
    """Starts draining; with no port, every port of the id."""
    delay = float(group.attributes.get("deregistration_delay.timeout_seconds") or 0)
    with _lock:
        for key, target in list(table(group).items()):
            if key[0] == identifier and port in (None, key[1]) and not target.draining:
                table(group)[key] = replace(
                    target, health=DRAINING, drained_by=time.monotonic() + delay
                )
    tell()


def register_target(target_group_arn: str, ip: str, port: int) -> None:
    """Registers an address; it gets no request before its first successful health check.

    A draining target comes back as a new one. Raises ApiError when the group is unknown.
    """
    register(_group(target_group_arn), ip, ip, int(port))


def deregister_target(target_group_arn: str, ip: str, port: int) -> None:
    """Starts draining; the target leaves :func:`target_health` when that has ended.

    Deregistering what is not registered does nothing. Raises ApiError when the group is
    unknown.
    """
    deregister(_group(target_group_arn), ip, int(port))


def is_draining(target_group_arn: str, ip: str, port: int) -> bool:
    """Whether a deregistered target may still have requests in flight.

    Ends with the deregistration delay (and a little) even if no load balancer reports.
    """
    group = _backend(target_group_arn).target_groups.get(target_group_arn)
    target = table(group).get((ip, port)) if group else None
    if target is None or target.drained_by is None:
        return False
    return time.monotonic() < target.drained_by + _REPORT_SECONDS


def target_health(target_group_arn: str) -> dict[tuple[str, int], TargetHealth]:
    """(address, port) → health of every registered or draining target.

    Empty when the group is gone.
    """
    return {(target.address, target.port): target.health for target in targets(target_group_arn)}


def targets(target_group_arn: str) -> list[Target]:
    """Every registered or draining target; empty when the group is gone."""
    with _lock:
        group = _backend(target_group_arn).target_groups.get(target_group_arn)
        return list(table(group).values()) if group else []


def observe(target_group_arn: str, target: Target, health: TargetHealth | None) -> None:
    """Writes what the load balancer saw of a target; None: its draining has ended.

    Ignored when the target was registered anew, or began to drain, after it was read.
    """
    with _lock:
        group = _backend(target_group_arn).target_groups.get(target_group_arn)
        key = (target.id, target.port)
        if group is None or table(group).get(key) != target:
            return
        if health is None:
            del table(group)[key]
        else:
            table(group)[key] = replace(target, health=health)


# --- what is configured -----------------------------------------------------------------


def health_check(target_group_arn: str) -> HealthCheck:
    """The group's health check. Raises ApiError when the group is unknown."""
    group = _group(target_group_arn)
    http = group.health_check_protocol in ("HTTP", "HTTPS")
    return HealthCheck(
        protocol=group.health_check_protocol,
        path=(group.health_check_path or "/") if http else "",
        port=str(group.health_check_port),
        interval=int(group.health_check_interval_seconds),
        timeout=int(group.health_check_timeout_seconds),
        healthy_threshold=int(group.healthy_threshold_count),
        unhealthy_threshold=int(group.unhealthy_threshold_count),
        matcher=(getattr(group, "matcher", None) or {}).get("HttpCode", "200") if http else "",
    )


def has_listener(target_group_arn: str) -> bool:
    """Whether some listener or rule forwards to the group."""
    return any(target_group_arn in balancer.target_groups for balancer in load_balancers())


@dataclass(frozen=True)
class TargetGroup:
    """A target group; ``attributes`` are AWS's keys to strings."""

    arn: str
    name: str
    protocol: str
    check: HealthCheck
    attributes: Mapping[str, str]


@dataclass(frozen=True)
class Rule:
    """A listener's rule; conditions and actions in the API's own shapes.

    Attributes:
        priority: a number, or ``default``.
    """

    priority: str
    conditions: list[dict[str, Any]]
    actions: list[dict[str, Any]]


@dataclass(frozen=True)
class Listener:
    """A listener; ``rules`` in the order they are tried, the default rule last.

    Attributes:
        names: the domain names of its certificates.
    """

    arn: str
    port: int
    protocol: str
    rules: list[Rule]
    names: list[str]


@dataclass(frozen=True)
class LoadBalancer:
    """A load balancer.

    Attributes:
        kind: application or network.
        address: where it listens; also its DNSName.
    """

    arn: str
    name: str
    kind: str
    address: str
    subnet_id: str
    state: str
    attributes: Mapping[str, str]
    listeners: list[Listener]

    @property
    def target_groups(self) -> list[str]:
        """ARNs of the groups that its rules forward to, each once, in order."""
        found = [
            arn
            for listener in self.listeners
            for rule in listener.rules
            for action in rule.actions
            for arn, _ in forwards(action)
        ]
        return list(dict.fromkeys(found))


def forwards(action: Mapping[str, Any]) -> list[tuple[str, int]]:
    """The (target group ARN, weight) pairs of a forward action; empty for others."""
    if action.get("Type") != "forward":
        return []
    if groups := (action.get("ForwardConfig") or {}).get("TargetGroups"):
        return [(group["TargetGroupArn"], int(group.get("Weight", 1))) for group in groups]
    return [(action["TargetGroupArn"], 1)]


def target_group(arn: str) -> TargetGroup:
    """Raises ApiError when the group is unknown."""
    group = _group(arn)
    return TargetGroup(
        arn, group.name, group.protocol, health_check(arn), _strings(group.attributes)
    )


def target_groups() -> list[str]:
    """ARNs of the groups of every region."""
    return [
        arn
        for backend in list(get_backend("elbv2")[ACCOUNT_ID].values())
        for arn in list(backend.target_groups)
    ]


def load_balancers() -> list[LoadBalancer]:
    """The load balancers of every region."""
    return [
        _load_balancer(region, balancer)
        for region, backend in list(get_backend("elbv2")[ACCOUNT_ID].items())
        for balancer in list(backend.load_balancers.values())
    ]


def set_state(arn: str, state: str) -> None:
    """provisioning, active or failed; nothing happens when the load balancer is gone."""
    if balancer := _backend(arn).load_balancers.get(arn):
        balancer.state = state


def _strings(attributes: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in attributes.items()}


def _load_balancer(region: str, balancer: FakeLoadBalancer) -> LoadBalancer:
    return LoadBalancer(
        balancer.arn,
        balancer.name,
        balancer.type,
        balancer.dns_name,
        balancer.subnets[0].id,
        balancer.state,
        _strings(balancer.attrs),
        [
            Listener(
                listener.arn,
                int(listener.port),
                listener.protocol,
                _rules(listener),
                [name for arn in listener.certificates for name in _names(region, arn)],
            )
            for listener in list(balancer.listeners.values())
        ],
    )


def _rules(listener: Any) -> list[Rule]:
    rules = sorted(
        listener.rules.values(),
        key=lambda rule: (rule.is_default, 0 if rule.is_default else int(rule.priority)),
    )
    return [
        Rule(str(rule.priority), rule.conditions or [], [action.data for action in rule.actions])
        for rule in rules
    ]


def _names(region: str, certificate_arn: str) -> list[str]:
    """The domain names of an ACM certificate; none when it is not one of ACM's."""
    for certificate in get_backend("acm")[ACCOUNT_ID][region]._certificates.values():
        if certificate.arn == certificate_arn:
            return list(dict.fromkeys([certificate.common_name, *certificate.sans]))
    return []
