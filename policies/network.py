"""Who can be reached from the internet: the load balancer, and nothing else."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from .exceptions import allowed
from .model import UNKNOWN, Resource, View, blocks, look, rule

DATABASES = (
    "aws_db_instance", "aws_rds_cluster", "aws_rds_cluster_instance", "aws_db_proxy",
    "aws_elasticache_replication_group", "aws_elasticache_cluster",
    "aws_elasticache_serverless_cache", "aws_memorydb_cluster", "aws_redshift_cluster",
    "aws_redshiftserverless_workgroup", "aws_docdb_cluster", "aws_neptune_cluster",
    "aws_neptune_cluster_instance", "aws_dms_replication_instance", "aws_mq_broker",
    "aws_opensearch_domain", "aws_dax_cluster", "aws_msk_cluster",
)  # fmt: skip
GROUPS = (
    "vpc_security_group_ids", "security_group_ids", "security_groups",
    "broker_node_group_info.0.security_groups", "vpc_options.0.security_group_ids",
)  # fmt: skip
WEB_PORTS = (80, 443)
# Wider public ranges than these count as the internet: it can be split into halves.
WIDEST = {4: 8, 6: 16}
PRIVATE_6 = ipaddress.IPv6Network("fc00::/7")
INGRESS = ("aws_vpc_security_group_ingress_rule", "aws_security_group_rule", "aws_security_group",
           "aws_default_security_group")  # fmt: skip


def is_internet(cidr: Any) -> bool:
    """Return whether a range is the internet or a great part of it; unknown ranges are not."""
    if not isinstance(cidr, str) or "/" not in cidr or "⟦" in cidr:
        return False
    try:
        network = ipaddress.ip_network(cidr.strip(), strict=False)
    except ValueError:
        return False
    if network.version == 6 and network.subnet_of(PRIVATE_6):
        return False
    return network.prefixlen < WIDEST[network.version]


def is_narrow(cidr: str) -> bool:
    """Return whether a range whose address is unknown is narrow for sure, as ⟦…⟧/32 is."""
    size = cidr.rpartition("/")[2]
    return "/" in cidr and size.isdigit() and int(size) >= max(WIDEST.values())


def ranges(resource: Resource, view: View) -> list[tuple[Any, Any, Any, Any]]:
    """Return (range, protocol, first port, last port) of all that a resource lets in."""
    if resource.type == "aws_vpc_security_group_ingress_rule":
        ports = [resource.get(key) for key in ("ip_protocol", "from_port", "to_port")]
        found = [view.value(resource, key) for key in ("cidr_ipv4", "cidr_ipv6")]
        return [(one, *ports) for one in found if one is not None]
    if resource.type == "aws_security_group_rule":
        if resource.get("type") == "egress":
            return []
        sources: list[Any] = [resource.values]
    else:
        sources = blocks(view.value(resource, "ingress"))
    result: list[tuple[Any, Any, Any, Any]] = []
    for source in sources:
        if source is UNKNOWN:
            result.append((UNKNOWN, None, None, None))
            continue
        ports = [source.get(key) for key in ("protocol", "from_port", "to_port")]
        for key in ("cidr_blocks", "ipv6_cidr_blocks"):
            held = source.get(key)
            if source is resource.values:
                held = view.value(resource, key)
            result += [(one, *ports) for one in blocks(held)]
    return result


def group_of(resource: Resource, view: View) -> list[Any]:
    """Return what names the group that an ingress rule belongs to: references and IDs."""
    if resource.type in ("aws_security_group", "aws_default_security_group"):
        return [f"⟦{resource.address}.id⟧", resource.get("id")]
    return [view.value(resource, "security_group_id")]


def open_groups(view: View) -> set[str]:
    """Return IDs and references of the groups that the internet reaches."""
    names: set[str] = set(view.open_groups)
    for resource in view.of(*INGRESS):
        if any(is_internet(entry[0]) for entry in ranges(resource, view)):
            names |= {one for one in group_of(resource, view) if isinstance(one, str)}
    for group in view.of("aws_security_group"):
        own = {f"⟦{group.address}.id⟧", group.get("id")}
        if own & names:
            names |= {one for one in own if isinstance(one, str)}
    return names


@rule(
    "DRYDOCK_NET_1",
    "No database or cache is reached from the internet.",
    "Set publicly_accessible = false and give it a security group that lets in the workloads' "
    "group only (module security_groups).",
    DATABASES,
    related=INGRESS,
    alone=False,
)
def database_is_private(resource: Resource, view: View) -> Iterator[str]:
    for key in (
        "publicly_accessible",
        "broker_node_group_info.0.connectivity_info.0.public_access",
    ):
        public = resource.get(key)
        if public is UNKNOWN and resource.type in (
            "aws_db_instance", "aws_redshift_cluster", "aws_mq_broker",
        ):  # fmt: skip
            yield f"{key} can't be known before the apply"
        elif public is True:
            yield f"{key} is true"
    if resource.type == "aws_opensearch_domain" and not blocks(resource.get("vpc_options")):
        yield "it is in no VPC (vpc_options)"
    exposed = open_groups(view)
    for key in GROUPS:
        for group in blocks(view.value(resource, key)):
            if isinstance(group, str) and group in exposed:
                name = group.strip("⟦⟧").removesuffix(".id")
                yield f"{key} has {name}, which is open to the internet"


@rule(
    "DRYDOCK_NET_2",
    "Only the load balancer's ports 80 and 443 are open to the internet.",
    "Name the group that may come in (referenced_security_group_id) or a narrow range that is "
    "known before the apply instead of 0.0.0.0/0 or ::/0.",
    [*INGRESS, "aws_ec2_managed_prefix_list", "aws_ec2_managed_prefix_list_entry"],
)
def closed_to_the_internet(resource: Resource, view: View) -> Iterator[str]:
    if resource.type.startswith("aws_ec2_managed_prefix_list"):
        single = resource.type.endswith("_entry")
        for entry in [resource.values] if single else blocks(resource.get("entry")):
            if is_internet(look(entry, "cidr")):
                yield f"it lists {entry['cidr']}, so rules that name the list are for the internet"
        return
    if resource.type in ("aws_security_group", "aws_default_security_group") and not resource.sets(
        "ingress"
    ):
        return  # its rules are resources of their own
    for cidr, protocol, first, last in ranges(resource, view):
        if cidr is UNKNOWN or (isinstance(cidr, str) and "⟦" in cidr and not is_narrow(cidr)):
            yield "the range that it lets in can't be known before the apply"
        elif is_internet(cidr):
            web = protocol in ("tcp", "6") and first == last and first in WEB_PORTS
            if not (web and allowed("DRYDOCK_NET_2", view, resource)):
                what = "all ports" if protocol in ("-1", "all") else f"{protocol} {first}-{last}"
                yield f"it lets {cidr} in on {what}"


@rule(
    "DRYDOCK_NET_3",
    "Only the application load balancer faces the internet.",
    "Set internal = true; what the internet may reach goes behind the platform's load balancer.",
    ["aws_lb", "aws_alb", "aws_elb"],
)
def one_load_balancer(resource: Resource, view: View) -> Iterator[str]:
    if resource.get("internal") is not True and not allowed("DRYDOCK_NET_3", view, resource):
        yield "it faces the internet (internal is not true)"
    elif resource.get("internal") is not True and resource.get("load_balancer_type") not in (
        None, "application",
    ):  # fmt: skip
        yield f"a {resource.get('load_balancer_type')} load balancer faces the internet"


PUBLIC_ADDRESS = {
    "aws_subnet": ("map_public_ip_on_launch", "assign_ipv6_address_on_creation"),
    "aws_instance": ("associate_public_ip_address",),
    "aws_spot_instance_request": ("associate_public_ip_address",),
    "aws_launch_configuration": ("associate_public_ip_address",),
    "aws_launch_template": ("network_interfaces.*.associate_public_ip_address",),
    "aws_ecs_service": ("network_configuration.*.assign_public_ip",),
    "aws_scheduler_schedule": (
        "target.0.ecs_parameters.0.network_configuration.0.assign_public_ip",
    ),
    "aws_eip": ("instance", "network_interface"),
    "aws_eip_association": ("instance_id", "network_interface_id"),
}
# Terraform learns these by itself where nobody sets them.
COMPUTED = {"aws_instance", "aws_spot_instance_request", "aws_launch_configuration", "aws_eip",
            "aws_eip_association"}  # fmt: skip


def each(resource: Resource, path: str) -> list[Any]:
    head, star, rest = path.partition(".*.")
    if not star:
        return [resource.get(path)]
    return [one if one is UNKNOWN else one.get(rest) for one in blocks(resource.get(head))]


@rule(
    "DRYDOCK_NET_4",
    "Nothing but the load balancer and NAT gateways has a public address.",
    "Take the public address away: tasks and nodes live in private subnets and leave by NAT.",
    list(PUBLIC_ADDRESS),
)
def no_public_address(resource: Resource, view: View) -> Iterator[str]:
    for path in PUBLIC_ADDRESS[resource.type]:
        if resource.type in COMPUTED and not resource.sets(path):
            continue
        for value in each(resource, path):
            name = path.replace(".*", "").replace(".0", "")
            if value is UNKNOWN:
                yield f"{name} can't be known before the apply"
            elif value in (True, "true", "ENABLED") or (
                isinstance(value, str) and value not in ("", "false", "DISABLED")
            ):
                yield f"{name} is {value}"


WAYS_OUT = ("gateway_id", "egress_only_gateway_id", "nat_gateway_id", "carrier_gateway_id")
DESTINATIONS = (
    "destination_cidr_block",
    "destination_ipv6_cidr_block",
    "cidr_block",
    "ipv6_cidr_block",
)


@rule(
    "DRYDOCK_NET_5",
    "Public subnets alone route to the internet, private ones to NAT, isolated ones nowhere.",
    "Take the route away: what needs the internet belongs into the private subnets of module "
    "network.",
    ["aws_route", "aws_route_table", "aws_default_route_table"],
)
def no_further_way_out(resource: Resource, view: View) -> Iterator[str]:
    if resource.type != "aws_route" and not resource.sets("route"):
        return  # its routes are resources of their own
    routes = [resource.values] if resource.type == "aws_route" else blocks(resource.get("route"))
    for route in routes:
        if route is UNKNOWN:
            yield "its routes can't be known before the apply"
            continue
        wide = [route.get(key) for key in DESTINATIONS if is_internet(route.get(key))]
        out = [key for key in WAYS_OUT if route.get(key) not in (None, "", "local")]
        if wide and out and not allowed("DRYDOCK_NET_5", view, resource):
            yield f"it routes {wide[0]} to a gateway ({out[0]})"
