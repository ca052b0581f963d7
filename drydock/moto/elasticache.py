"""Replication groups as ElastiCache's API holds them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
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
    shard, places = group.node_groups[0], subnets(group)
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
            (member["cache_cluster_id"], places[number % len(places)]["subnet_identifier"])
            for number, member in enumerate(members)
        ),
        primary=next(m["cache_cluster_id"] for m in members if m["current_role"] == "primary"),
        parameters=tuple(sorted(parameters.items())),
    )


def available(cache: Cache, addresses: Mapping[str, str]) -> None:
    """Shows the group as available at the members' addresses (by cache cluster id).

    Not if the API was asked for something else meanwhile.
    """
    groups = get_backend("elasticache")[ACCOUNT_ID][cache.region].replication_groups
    group = groups.get(cache.id)
    if group and group.status == cache.status:
        shard = group.node_groups[0]
        shard["primary_endpoint"] = {"address": addresses[cache.primary], "port": cache.port}
        readers = [m for m, _ in cache.members if m != cache.primary] or [cache.primary]
        # AWS's reader endpoint is a name for all replicas; an address can only be one's.
        shard["reader_endpoint"] = {"address": addresses[readers[0]], "port": cache.port}
        for member in shard["node_group_members"]:
            address = addresses[member["cache_cluster_id"]]
            member["read_endpoint"] = {"address": address, "port": cache.port}
        shard["status"] = group.status = "available"


def forget(cache: Cache) -> None:
    """Ends a deletion: the group is no longer described."""
    backend = get_backend("elasticache")[ACCOUNT_ID][cache.region]
    if group := backend.replication_groups.pop(cache.id, None):
        backend.tagging_service.delete_all_tags_for_resource(group.arn)
