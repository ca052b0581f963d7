"""Only the load balancer is open to the internet; data is not reachable from it at all, and has
no way out; what goes to S3 does not leave AWS."""

from collections.abc import Callable
from typing import Any

import pytest

ANYWHERE = {"0.0.0.0/0", "::/0"}


@pytest.fixture(scope="module")
def groups(aws: Callable[[str], Any], outputs: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Security groups of the VPC by ID."""
    found = aws("ec2").describe_security_groups(
        Filters=[{"Name": "vpc-id", "Values": [outputs["foundation"]["vpc_id"]]}]
    )
    return {group["GroupId"]: group for group in found["SecurityGroups"]}


def _sources(group: dict[str, Any]) -> set[str]:
    """Return all that a group lets in: ranges and groups."""
    return {
        source
        for rule in group["IpPermissions"]
        for source in (
            *(one["CidrIp"] for one in rule.get("IpRanges", [])),
            *(one["CidrIpv6"] for one in rule.get("Ipv6Ranges", [])),
            *(one["GroupId"] for one in rule.get("UserIdGroupPairs", [])),
        )
    }


def _opened(groups: dict[str, dict[str, Any]]) -> set[str]:
    """Return the groups that let anybody in."""
    return {name for name, group in groups.items() if _sources(group) & ANYWHERE}


def test_only_the_load_balancer_is_open_to_the_internet(
    groups: dict[str, dict[str, Any]], outputs: dict[str, Any]
) -> None:
    assert _opened(groups) <= {outputs["foundation"]["security_group_ids"]["load_balancer"]}


@pytest.mark.parametrize(
    "planted",
    [{"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, {"Ipv6Ranges": [{"CidrIpv6": "::/0"}]}],
)
def test_a_planted_open_rule_is_found(
    groups: dict[str, dict[str, Any]], outputs: dict[str, Any], planted: dict[str, Any]
) -> None:
    database = outputs["foundation"]["security_group_ids"]["database"]
    rules = [*groups[database]["IpPermissions"], {"IpProtocol": "tcp", "FromPort": 5432, **planted}]
    doctored = groups | {database: groups[database] | {"IpPermissions": rules}}
    assert database in _opened(doctored)


def test_only_one_load_balancer_faces_the_internet(
    aws: Callable[[str], Any], outputs: dict[str, Any]
) -> None:
    pages = aws("elbv2").get_paginator("describe_load_balancers").paginate()
    facing = [
        one["LoadBalancerArn"]
        for page in pages
        for one in page["LoadBalancers"]
        if one["VpcId"] == outputs["foundation"]["vpc_id"] and one["Scheme"] == "internet-facing"
    ]
    suffix = outputs["platform"]["load_balancer_arn_suffix"]
    assert [arn.partition(":loadbalancer/")[2] for arn in facing] == [suffix]


def test_nothing_gets_a_public_address_by_itself(
    aws: Callable[[str], Any], outputs: dict[str, Any]
) -> None:
    in_vpc = [{"Name": "vpc-id", "Values": [outputs["foundation"]["vpc_id"]]}]
    subnets = aws("ec2").describe_subnets(Filters=in_vpc)["Subnets"]
    assert [one["SubnetId"] for one in subnets if one["MapPublicIpOnLaunch"]] == []
    public = [
        instance["InstanceId"]
        for page in aws("ec2").get_paginator("describe_instances").paginate(Filters=in_vpc)
        for reservation in page["Reservations"]
        for instance in reservation["Instances"]
        if instance.get("PublicIpAddress")
    ]
    assert public == []


@pytest.mark.parametrize(
    ("store", "clients"),
    [
        ("database", {"workload", "database_proxy"}),
        ("database_proxy", {"workload"}),
        ("cache", {"workload"}),
    ],
)
def test_only_workloads_reach_the_data(
    groups: dict[str, dict[str, Any]], outputs: dict[str, Any], store: str, clients: set[str]
) -> None:
    ids = outputs["foundation"]["security_group_ids"]
    assert _sources(groups[ids[store]]) == {ids[client] for client in clients}


def _tables(aws: Callable[[str], Any], subnets: list[str]) -> list[dict[str, Any]]:
    """Return the route tables of subnets; fails where one has none of its own."""
    tables = aws("ec2").describe_route_tables(
        Filters=[{"Name": "association.subnet-id", "Values": subnets}]
    )["RouteTables"]
    placed = {
        association["SubnetId"]
        for table in tables
        for association in table["Associations"]
        if association.get("SubnetId")
    }
    assert set(subnets) <= placed, "a subnet has the VPC's main route table"
    return tables


def _ways_out(tables: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the routes that leave the VPC, but for those to gateway endpoints."""
    return [
        route
        for table in tables
        for route in table["Routes"]
        if route.get("GatewayId") != "local"
        and not str(route.get("GatewayId", "")).startswith("vpce-")
    ]


def test_isolated_subnets_have_no_way_out(
    aws: Callable[[str], Any], outputs: dict[str, Any]
) -> None:
    assert _ways_out(_tables(aws, outputs["foundation"]["isolated_subnet_ids"])) == []


@pytest.mark.parametrize(
    "target",
    [
        {"NatGatewayId": "nat-1"},
        {"GatewayId": "igw-1"},
        {"EgressOnlyInternetGatewayId": "eigw-1"},
        {"TransitGatewayId": "tgw-1"},
        {"VpcPeeringConnectionId": "pcx-1"},
        {"NetworkInterfaceId": "eni-1"},
    ],
)
def test_a_planted_way_out_is_found(
    aws: Callable[[str], Any], outputs: dict[str, Any], target: dict[str, str]
) -> None:
    tables = _tables(aws, outputs["foundation"]["isolated_subnet_ids"])
    planted = {"DestinationCidrBlock": "203.0.113.0/24", **target}
    tables[0]["Routes"].append(planted)
    assert _ways_out(tables) == [planted]


def test_nobody_outside_gets_through_the_isolated_tier_s_acl(
    aws: Callable[[str], Any], outputs: dict[str, Any]
) -> None:
    subnets = outputs["foundation"]["isolated_subnet_ids"]
    acls = aws("ec2").describe_network_acls(
        Filters=[{"Name": "association.subnet-id", "Values": subnets}]
    )["NetworkAcls"]
    placed = {one["SubnetId"] for acl in acls for one in acl["Associations"]}
    assert set(subnets) <= placed
    allowed = {
        entry.get("CidrBlock") or entry.get("Ipv6CidrBlock")
        for acl in acls
        for entry in acl["Entries"]
        if entry["RuleAction"] == "allow" and not entry["Egress"]
    }
    assert not allowed & ANYWHERE


@pytest.mark.parametrize("service", ["s3", "dynamodb"])
def test_what_goes_to_s3_and_dynamodb_stays_within_aws(
    aws: Callable[[str], Any], outputs: dict[str, Any], facts: dict[str, Any], service: str
) -> None:
    """Each private subnet's route table has the gateway endpoint, so that NAT is not in the way;
    isolated ones need none, as nothing leaves them."""
    foundation = outputs["foundation"]
    endpoints = aws("ec2").describe_vpc_endpoints(
        Filters=[
            {"Name": "vpc-id", "Values": [foundation["vpc_id"]]},
            {"Name": "service-name", "Values": [f"com.amazonaws.{facts['region']}.{service}"]},
        ]
    )["VpcEndpoints"]
    routed = {
        table
        for one in endpoints
        if one["VpcEndpointType"] == "Gateway" and one["State"].lower() == "available"
        for table in one["RouteTableIds"]
    }
    tables = _tables(aws, foundation["private_subnet_ids"])
    assert {table["RouteTableId"] for table in tables} <= routed


def test_the_database_is_private_and_encrypted(
    aws: Callable[[str], Any], outputs: dict[str, Any]
) -> None:
    name = outputs["data"]["database_identifier"]
    database = aws("rds").describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
    assert database["PubliclyAccessible"] is False
    assert database["StorageEncrypted"] is True
    ids = {group["VpcSecurityGroupId"] for group in database["VpcSecurityGroups"]}
    assert ids == {outputs["foundation"]["security_group_ids"]["database"]}


def test_no_database_of_the_account_is_public(aws: Callable[[str], Any]) -> None:
    pages = aws("rds").get_paginator("describe_db_instances").paginate()
    public = [
        one["DBInstanceIdentifier"]
        for page in pages
        for one in page["DBInstances"]
        if one["PubliclyAccessible"]
    ]
    assert public == []
