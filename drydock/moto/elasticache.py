"""Replication groups as ElastiCache's API holds them."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from moto.backends import get_backend
from moto.elasticache.models import ReplicationGroup

from drydock.moto.patches.elasticache import subnets
from drydock.settings import ACCOUNT_ID


@dataclass(frozen=True)
class Cache:
    """A replication group of one shard.

    Attributes:
        status: AWS's word: creating, available, modifying, deleting.
        address: of the primary; None until it is available.
        tokens: that clients may authenticate with; empty when they need none.
        members: cache cluster id and subnet of each, in order.
        primary: the member that takes writes.
        automatic_failover: whether a replica takes over when the primary is lost.
        promote: the member that was asked to become primary; ``any`` for whichever is best.
        parameters: what the parameter group sets, by name.
    """

    region: str
    id: str
    status: str
    node_type: str
    port: int
    tls: bool
    address: str | None
    tokens: tuple[str, ...] = field(repr=False)
    members: tuple[tuple[str, str], ...]
    primary: str
    automatic_failover: bool
    promote: str
    parameters: tuple[tuple[str, str], ...]

    @property
    def key(self) -> str:
        """Unique among all regions."""
        return f"{self.region}-{self.id}"


def caches() -> list[Cache]:
    """Every replication group of every region."""
    return [
        _cache(region, backend, group)
        for region, backend in list(get_backend("elasticache")[ACCOUNT_ID].items())
        for group in list(backend.replication_groups.values())
    ]


def _cache(region: str, backend: Any, group: ReplicationGroup) -> Cache:
    shard = group.node_groups[0]
    places = {p["subnet_availability_zone"]: p["subnet_identifier"] for p in subnets(group)}
    members = shard["node_group_members"]
    parameters = backend.parameters.get(group.cache_parameter_group_name, {})
    return Cache(
        region=region,
        id=group.replication_group_id,
        status=group.status,
        node_type=group.cache_node_type,
        port=group.port,
        tls=bool(group.transit_encryption_enabled),
        address=shard.get("primary_endpoint", {}).get("address"),
        tokens=group.tokens,
        members=tuple(
            (member["cache_cluster_id"], places[member["preferred_availability_zone"]])
            for member in members
        ),
        primary=next(m["cache_cluster_id"] for m in members if m["current_role"] == "primary"),
        automatic_failover=group.automatic_failover == "enabled",
        promote=group.promote,
        parameters=tuple(sorted(parameters.items())),
    )


def _held(cache: Cache) -> ReplicationGroup | None:
    return get_backend("elasticache")[ACCOUNT_ID][cache.region].replication_groups.get(cache.id)


def available(cache: Cache, endpoint: str, reader: str, addresses: Mapping[str, str]) -> None:
    """Shows the group as available at its endpoints, members at their addresses.

    Not if the API was asked for something else meanwhile.
    """
    group = _held(cache)
    if group and group.status == cache.status and group.promote == cache.promote == "":
        shard = group.node_groups[0]
        shard["primary_endpoint"] = {"address": endpoint, "port": cache.port}
        # AWS's reader endpoint is a name for all replicas; an address can only be one's.
        shard["reader_endpoint"] = {"address": reader, "port": cache.port}
        for member in shard["node_group_members"]:
            address = addresses[member["cache_cluster_id"]]
            member["read_endpoint"] = {"address": address, "port": cache.port}
        shard["status"] = group.status = "available"


def begin_failover(cache: Cache) -> None:
    if group := _held(cache):
        group.node_groups[0]["status"] = group.status = "modifying"


def promote(cache: Cache, heir: str) -> Cache:
    """Swaps the roles, which ends what was asked for; returns the group as it is then."""
    if group := _held(cache):
        members = group.node_groups[0]["node_group_members"]
        # The heir first: who looks meanwhile finds a primary.
        for member in sorted(members, key=lambda one: one["cache_cluster_id"] != heir):
            primary = member["cache_cluster_id"] == heir
            member["current_role"] = "primary" if primary else "replica"
        group.promote = ""
    return replace(cache, primary=heir, promote="", status="modifying")


def note(cache: Cache, message: str, member: str = "") -> None:
    """Adds an event, of a member or of the group itself."""
    get_backend("elasticache")[ACCOUNT_ID][cache.region].events.append(
        {
            "SourceIdentifier": member or cache.id,
            "SourceType": "cache-cluster" if member else "replication-group",
            "Message": message,
            "Date": datetime.datetime.now(datetime.UTC),
        }
    )


def forget(cache: Cache) -> None:
    """Ends a deletion: the group is no longer described."""
    backend = get_backend("elasticache")[ACCOUNT_ID][cache.region]
    if group := backend.replication_groups.pop(cache.id, None):
        backend.tagging_service.delete_all_tags_for_resource(group.arn)
