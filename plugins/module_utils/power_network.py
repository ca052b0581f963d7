"""Ways out that no state knows: what a Terraform that was killed had made by then.

Terraform writes its state down now and then. Killed in between, it leaves a gateway and routes of
which the state knows nothing, so the next apply would ask for the same address and the same routes
again and be refused (Resource.AlreadyAssociated, RouteAlreadyExists). They carry nothing of their
own: they are taken away, and the next apply makes them.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.drydock.ops.plugins.module_utils.power import Outcome, tags_of
from ansible_collections.drydock.ops.plugins.module_utils.power_steps import Night


def forget(night: Night, state: dict[str, Any]) -> Outcome:
    """Delete the environment's NAT gateways, and routes to any, that are not in the state.

    state: of the stack foundation, format 4.
    """
    out, ec2 = Outcome(), night.clients["ec2"]
    own = [{"Name": "tag:Environment", "Values": [night.environment]}]
    routes = _known(state, "aws_route", ("route_table_id", "destination_cidr_block"))
    pages = ec2.get_paginator("describe_route_tables").paginate(Filters=own)
    for table in (one for page in pages for one in page["RouteTables"]):
        for route in table["Routes"]:
            way = (table["RouteTableId"], route.get("DestinationCidrBlock"))
            if route.get("NatGatewayId") and way not in routes:
                night.call("ec2", "delete_route", RouteTableId=way[0], DestinationCidrBlock=way[1])
                out.done.append(f"{way[0]}: route to {way[1]}, which no state knows, deleted")
    gateways = _known(state, "aws_nat_gateway", ("id",))
    for gateway in ec2.describe_nat_gateways(Filter=own)["NatGateways"]:
        name, status = gateway["NatGatewayId"], gateway["State"]
        theirs = tags_of(gateway.get("Tags")).get("Environment") != night.environment
        if theirs or (name,) in gateways or status in ("deleted", "failed"):
            continue
        if status != "deleting":
            night.call("ec2", "delete_nat_gateway", NatGatewayId=name)
            out.done.append(f"{name}: NAT gateway, which no state knows, deleted")
        if night.write:
            out.waiting.append(f"{name} gives its address back")
    return out


def _known(state: dict[str, Any], kind: str, keys: tuple[str, ...]) -> set[tuple[Any, ...]]:
    return {
        tuple(instance["attributes"].get(key) for key in keys)
        for resource in state.get("resources", [])
        if resource["type"] == kind and resource["mode"] == "managed"
        for instance in resource["instances"]
    }
