"""Only the load balancer is open to the internet; data is not reachable from it at all."""

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


def test_only_the_load_balancer_is_open_to_the_internet(
    groups: dict[str, dict[str, Any]], outputs: dict[str, Any]
) -> None:
    opened = {name for name, group in groups.items() if _sources(group) & ANYWHERE}
    assert opened <= {outputs["foundation"]["security_group_ids"]["load_balancer"]}


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


def test_isolated_subnets_have_no_way_to_the_internet(
    aws: Callable[[str], Any], outputs: dict[str, Any]
) -> None:
    subnets = outputs["foundation"]["isolated_subnet_ids"]
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
    ways = [
        route
        for table in tables
        for route in table["Routes"]
        if {route.get("DestinationCidrBlock"), route.get("DestinationIpv6CidrBlock")} & ANYWHERE
    ]
    assert ways == []


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
