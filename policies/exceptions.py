"""What a rule lets pass: by stack and address, each with its reason."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from .model import Allowed, Resource, View

EXCEPTIONS = (
    Allowed("DRYDOCK_NET_2", "foundation",
            "module.security_groups.aws_vpc_security_group_ingress_rule.internet_to_load_balancer",
            "the load balancer is the one way in"),
    Allowed("DRYDOCK_NET_3", "platform", "module.load_balancer.aws_lb.this",
            "the load balancer is the one way in"),
    Allowed("DRYDOCK_NET_5", "foundation", "module.network.aws_route.internet",
            "the table of the public subnets"),
    Allowed("DRYDOCK_NET_5", "foundation", "module.network.aws_route.nat",
            "the tables of the private subnets, to NAT"),
    Allowed("DRYDOCK_IAM_2", "identity",
            "module.baseline.aws_iam_role_policy_attachment.break_glass",
            "break-glass may do everything, with MFA, for an hour, and is reported"),
)  # fmt: skip


def allowed(rule: str, view: View, resource: Resource) -> bool:
    """Return whether an exception covers a resource; keys of count and for_each don't matter.

    Seen alone, without its stack (`*`), a resource is known by the end of its address.
    """
    address = re.sub(r"\[[^\]]*\]", "", resource.address)
    return any(
        one.rule == rule
        and (
            fnmatchcase(address, one.address)
            if view.stack == one.stack
            else view.stack == "*" and one.address.endswith(f".{address.removeprefix('module.')}")
        )
        for one in EXCEPTIONS
    )
