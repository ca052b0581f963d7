"""ELB: addresses and states come from what runs, and targets are (id, port) with real health."""

import ipaddress
from collections.abc import Callable
from typing import Any

from moto.elbv2.exceptions import ELBClientError, TargetGroupNotFoundError
from moto.elbv2.models import ELBv2Backend, FakeHealthStatus, FakeLoadBalancer, FakeTargetGroup

from drydock.errors import DrydockError
from drydock.moto import elbv2

_allocate: list[Callable[[str], str]] = []


def addresses_from(allocate: Callable[[str], str]) -> None:
    """Says where a new load balancer's address comes from: subnet id → IP address."""
    _allocate[:] = [allocate]


def apply() -> None:
    _moto_create = ELBv2Backend.create_load_balancer

    def create(self: ELBv2Backend, name: str, *arguments: Any, **named: Any) -> FakeLoadBalancer:
        if any(balancer.name == name for balancer in self.load_balancers.values()):
            raise ELBClientError(
                "DuplicateLoadBalancerName", f"A load balancer with name {name} already exists."
            )
        balancer = _moto_create(self, name, *arguments, **named)
        # AWS says so even where nobody asked for it.
        balancer.scheme = balancer.scheme or "internet-facing"
        try:
            # Terraform keeps the first answer's DNSName, so it must be right from the start.
            balancer.dns_name = _allocate[0](balancer.subnets[0].id)
        except DrydockError as error:
            del self.load_balancers[balancer.arn]
            raise ELBClientError("InvalidSubnet", str(error)) from error
        return balancer

    ELBv2Backend.create_load_balancer = create
    # moto makes a load balancer active when it is described; here it is when it answers.
    FakeLoadBalancer.activate = lambda self: None
    FakeTargetGroup.register = _register
    FakeTargetGroup.deregister = _deregister
    FakeTargetGroup.deregister_terminated_instances = lambda self, ids: _deregister(
        self, [{"Id": identifier} for identifier in ids]
    )
    ELBv2Backend.describe_target_health = _describe_target_health
    # moto appends to this list and never takes away.
    FakeTargetGroup.load_balancer_arns = property(
        lambda self: [
            balancer.arn
            for balancer in elbv2.load_balancers()
            if self.arn in balancer.target_groups
        ],
        lambda self, value: None,
    )


def _register(self: FakeTargetGroup, targets: list[dict[str, Any]]) -> None:
    for target in targets:
        identifier, port = target["Id"], int(target.get("Port") or self.port)
        elbv2.register(self, identifier, _address(self, identifier), port)


def _address(group: FakeTargetGroup, identifier: str) -> str:
    if group.target_type == "instance":
        instance = group.ec2_backend.get_instance_by_id(identifier)
        if instance is None or instance.state != "running":
            raise ELBClientError("InvalidTarget", f"Instance {identifier} is not running.")
        return instance.private_ip_address
    try:
        return str(ipaddress.IPv4Address(identifier))
    except ValueError:
        raise ELBClientError(
            "InvalidTarget", f"'{identifier}' is not an IPv4 address, which {group.name} takes."
        ) from None


def _deregister(self: FakeTargetGroup, targets: list[dict[str, Any]]) -> None:
    for target in targets:
        port = target.get("Port")
        elbv2.deregister(self, target["Id"], int(port) if port else None)


def _describe_target_health(
    self: ELBv2Backend, target_group_arn: str, targets: list[dict[str, Any]]
) -> list[FakeHealthStatus]:
    group = self.target_groups.get(target_group_arn)
    if group is None:
        raise TargetGroupNotFoundError()
    known = {(target.id, target.port): target.health for target in elbv2.targets(target_group_arn)}
    asked = [(target["Id"], int(target.get("Port") or group.port)) for target in targets]
    return [
        FakeHealthStatus(
            identifier,
            str(port),
            str(port) if group.health_check_port == "traffic-port" else group.health_check_port,
            health.state,
            health.reason or None,
            health.description or None,
        )
        for identifier, port in asked or known
        for health in [known.get((identifier, port), elbv2.NOT_REGISTERED)]
    ]
