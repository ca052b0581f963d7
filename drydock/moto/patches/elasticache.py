"""ElastiCache: what moto lacks for replication groups, parameter groups and their members.

A replication group's states and endpoints are left to the controller.
"""

import datetime
import re
from typing import Any

from moto.backends import get_backend
from moto.elasticache.models import ElastiCacheBackend, ReplicationGroup

from drydock.errors import ApiError
from drydock.moto.api import PASS, Context, Handler

_TAGGABLE = re.compile(
    r"^arn:aws:elasticache:.*:[0-9]*:"
    r"(cluster|snapshot|subnetgroup|replicationgroup|parametergroup|user):.*$"
)
# ModifyReplicationGroup's parameters that moto ignores → attributes of its group.
_MODIFIABLE = {
    "AutoMinorVersionUpgrade": "auto_minor_version_upgrade",
    "CacheParameterGroupName": "cache_parameter_group_name",
    "EngineVersion": "engine_version",
    "NotificationTopicArn": "notification_topic_arn",
    "PreferredMaintenanceWindow": "preferred_maintenance_window",
    "SecurityGroupIds": "security_group_ids",
    "SnapshotWindow": "snapshot_window",
}


def _backend(context: Context) -> ElastiCacheBackend:
    return get_backend("elasticache")[context.account_id][context.region]


def apply() -> None:
    make_backend, make_group = ElastiCacheBackend.__init__, ReplicationGroup.__init__

    def backend_init(self: ElastiCacheBackend, *arguments: Any, **named: Any) -> None:
        make_backend(self, *arguments, **named)
        self.arn_regex = _TAGGABLE
        self.parameter_groups: dict[str, dict[str, Any]] = {}  # as AWS describes them
        self.parameters: dict[str, dict[str, str]] = {}  # what each sets
        self.events: list[dict[str, Any]] = []  # as AWS describes them, oldest first

    def group_init(self: ReplicationGroup, **named: Any) -> None:
        make_group(self, **named)
        self.status, self.promote = "creating", ""
        self.region = named["region_name"]
        self.tokens = tuple(filter(None, [named["auth_token"]]))
        self.port = int(self.port)
        self.auto_minor_version_upgrade = str(self.auto_minor_version_upgrade).lower() != "false"
        count = named["num_cache_clusters"] or (named["replicas_per_node_group"] or 0) + 1
        self.node_groups = [{"node_group_id": "0001", "node_group_members": []}]
        resize(self, count)

    def delete_group(self: ElastiCacheBackend, replication_group_id: str, **_: Any) -> Any:
        [group] = self.describe_replication_groups(replication_group_id)
        group.status = "deleting"
        return group

    ElastiCacheBackend.__init__ = backend_init
    ReplicationGroup.__init__ = group_init
    ElastiCacheBackend.delete_replication_group = delete_group


def subnets(group: ReplicationGroup) -> list[dict[str, Any]]:
    """The subnet group's subnets, as moto notes them."""
    backend = get_backend("elasticache")[group.arn.split(":")[4]][group.region]
    return backend.describe_cache_subnet_groups(group.cache_subnet_group_name)[0].subnets


def resize(group: ReplicationGroup, count: int) -> None:
    """Gives the group so many members, spread over its subnets; the first begins as primary.

    A primary is never removed, whatever its number.
    """
    members, places = group.node_groups[0]["node_group_members"], subnets(group)
    for member in [m for m in reversed(members) if m["current_role"] == "replica"]:
        if len(members) > count:
            members.remove(member)
    for number in range(count):
        name = f"{group.replication_group_id}-{number + 1:03}"
        if len(members) >= count or any(m["cache_cluster_id"] == name for m in members):
            continue
        members.append(
            {
                "cache_cluster_id": name,
                "cache_node_id": "0001",
                "preferred_availability_zone": places[number % len(places)][
                    "subnet_availability_zone"
                ],
                "current_role": "replica" if members else "primary",
            }
        )
    group.member_clusters = [member["cache_cluster_id"] for member in members]
    keeps = group.snapshot_retention_limit > 0
    group.snapshotting_cluster_id = group.member_clusters[-1] if keeps else None


def operations() -> dict[tuple[str, str], Handler]:
    handlers = {
        "CreateCacheParameterGroup": _create_parameters,
        "DescribeCacheParameterGroups": _describe_parameter_groups,
        "DescribeCacheParameters": _describe_parameters,
        "ModifyCacheParameterGroup": _modify_parameters,
        "ResetCacheParameterGroup": _reset_parameters,
        "DeleteCacheParameterGroup": _delete_parameters,
        "DeleteCacheSubnetGroup": _delete_subnets,
        "DescribeCacheClusters": _describe_clusters,
        "ModifyReplicationGroup": _modify_group,
        "IncreaseReplicaCount": _count_replicas,
        "DecreaseReplicaCount": _count_replicas,
        "TestFailover": _test_failover,
        "DescribeEvents": _describe_events,
    }
    return {("elasticache", action): handler for action, handler in handlers.items()}


# --- parameter and subnet groups ---------------------------------------------------


def _parameters(context: Context, given: dict[str, Any]) -> dict[str, str]:
    name = given["CacheParameterGroupName"]
    if name not in _backend(context).parameter_groups:
        raise ApiError("CacheParameterGroupNotFound", f"CacheParameterGroup {name} not found.", 404)
    return _backend(context).parameters[name]


def _create_parameters(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    backend, name = _backend(context), given["CacheParameterGroupName"]
    if name in backend.parameter_groups:
        raise ApiError(
            "CacheParameterGroupAlreadyExists", f"CacheParameterGroup {name} already exists."
        )
    arn, tags = context.arn("elasticache", f"parametergroup:{name}"), given.pop("Tags", [])
    backend.parameter_groups[name] = {**given, "IsGlobal": False, "ARN": arn}
    backend.parameters[name] = {}
    backend.tagging_service.tag_resource(arn, tags)
    return {"CacheParameterGroup": backend.parameter_groups[name]}


def _describe_parameter_groups(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    groups = _backend(context).parameter_groups
    if name := given.get("CacheParameterGroupName"):
        _parameters(context, given)
        groups = {name: groups[name]}
    return {"CacheParameterGroups": list(groups.values())}


def _describe_parameters(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    return {
        "Parameters": [
            {"ParameterName": key, "ParameterValue": value, "Source": "user", "IsModifiable": True}
            for key, value in _parameters(context, given).items()
        ]
    }


def _modify_parameters(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    rows = given["ParameterNameValues"]
    _parameters(context, given).update({r["ParameterName"]: r["ParameterValue"] for r in rows})
    return {"CacheParameterGroupName": given["CacheParameterGroupName"]}


def _reset_parameters(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    parameters = _parameters(context, given)
    if given.get("ResetAllParameters"):
        parameters.clear()
    for row in given.get("ParameterNameValues") or []:
        parameters.pop(row["ParameterName"], None)
    return {"CacheParameterGroupName": given["CacheParameterGroupName"]}


def _delete_parameters(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    _parameters(context, given)
    del _backend(context).parameter_groups[given["CacheParameterGroupName"]]
    return {}


def _delete_subnets(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    backend, name = _backend(context), given["CacheSubnetGroupName"]
    if any(group.cache_subnet_group_name == name for group in backend.replication_groups.values()):
        raise ApiError("CacheSubnetGroupInUse", f"Cache subnet group {name} is in use.")
    if backend.cache_subnet_groups.pop(name, None) is None:
        raise ApiError("CacheSubnetGroupNotFoundFault", f"Cache subnet group {name} not found.")
    return {}


# --- replication groups --------------------------------------------------------------


def _group(context: Context, given: dict[str, Any]) -> ReplicationGroup:
    name = given["ReplicationGroupId"]
    group = _backend(context).replication_groups.get(name)
    if group is None:
        raise ApiError("ReplicationGroupNotFoundFault", f"ReplicationGroup {name} not found.", 404)
    if group.status != "available":
        raise ApiError(
            "InvalidReplicationGroupState", f"ReplicationGroup {name} is {group.status}."
        )
    return group


def _modify_group(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    group = _group(context, given)
    if primary := given.get("PrimaryClusterId"):
        _choose_primary(group, primary)
    for parameter, attribute in _MODIFIABLE.items():
        if given.get(parameter) is not None:
            setattr(group, attribute, given[parameter])
    if strategy := given.get("AuthTokenUpdateStrategy"):
        # ROTATE lets the token before it in as well, until a SET.
        kept = {"ROTATE": group.tokens[-1:], "SET": (), "DELETE": ()}[strategy]
        group.tokens = (*kept, *filter(None, [given.get("AuthToken")]))
        group.auth_token_enabled = bool(group.tokens)
    group.status = "modifying"
    return PASS


def _count_replicas(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    group = _group(context, given)
    resize(group, given["NewReplicaCount"] + 1)
    group.status = "modifying"
    return {
        "ReplicationGroup": {
            "ReplicationGroupId": group.replication_group_id,
            "Status": group.status,
            "MemberClusters": group.member_clusters,
            "ARN": group.arn,
        }
    }


def _choose_primary(group: ReplicationGroup, member: str) -> None:
    """What ModifyReplicationGroup's PrimaryClusterId asks for: the operator's own choice, which
    ElastiCache leaves to itself where failover is automatic."""
    name = group.replication_group_id
    if group.automatic_failover == "enabled":
        raise ApiError(
            "InvalidParameterCombination",
            f"Cannot manually promote a new master cache cluster while autofailover is enabled for "
            f"{name}.",
        )
    roles = {
        m["cache_cluster_id"]: m["current_role"] for m in group.node_groups[0]["node_group_members"]
    }
    if member not in roles:
        raise ApiError("InvalidParameterValue", f"{member} is not a member of {name}.")
    group.promote = member if roles[member] == "replica" else ""


def _test_failover(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    group, shard = _group(context, given), given["NodeGroupId"]
    if shard != group.node_groups[0]["node_group_id"]:
        raise ApiError("NodeGroupNotFoundFault", f"Node group {shard} not found.", 404)
    if group.automatic_failover != "enabled" or len(group.member_clusters) < 2:
        raise ApiError(
            "TestFailoverNotAvailableFault",
            f"{group.replication_group_id} has no automatic failover, or no replica.",
        )
    group.promote, group.status = "any", "modifying"
    group.node_groups[0]["status"] = "modifying"
    _backend(context).events.append(
        {
            "SourceIdentifier": group.replication_group_id,
            "SourceType": "replication-group",
            "Message": f"Test Failover API called for node group {shard}",
            "Date": datetime.datetime.now(datetime.UTC),
        }
    )
    return {
        "ReplicationGroup": {
            "ReplicationGroupId": group.replication_group_id,
            "Status": group.status,
            "MemberClusters": group.member_clusters,
            "ARN": group.arn,
        }
    }


def _describe_events(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    """Those of the last hour, or of ``Duration`` minutes, unless times are given."""
    now = datetime.datetime.now(datetime.UTC)
    until = _utc(given.get("EndTime")) or now
    minutes = datetime.timedelta(minutes=given.get("Duration") or 60)
    since = _utc(given.get("StartTime")) or until - minutes
    wanted = {key: given[key] for key in ("SourceIdentifier", "SourceType") if given.get(key)}
    return {
        "Events": [
            event
            for event in _backend(context).events
            if since <= event["Date"] <= until
            and all(event[key] == value for key, value in wanted.items())
        ]
    }


def _utc(moment: datetime.datetime | None) -> datetime.datetime | None:
    return moment.replace(tzinfo=datetime.UTC) if moment and moment.tzinfo is None else moment


def _describe_clusters(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    wanted = given.get("CacheClusterId")
    for group in _backend(context).replication_groups.values():
        for member in group.node_groups[0]["node_group_members"]:
            if member["cache_cluster_id"] == wanted:
                return {"CacheClusters": [_cluster(context, group, member)]}
    return PASS


def _cluster(context: Context, group: ReplicationGroup, member: dict[str, Any]) -> dict[str, Any]:
    name, version = member["cache_cluster_id"], str(group.engine_version or "7.1")
    node = {"CacheNodeId": "0001", "CacheNodeStatus": group.status}
    if endpoint := member.get("read_endpoint"):
        node["Endpoint"] = {"Address": endpoint["address"], "Port": endpoint["port"]}
    parameters = group.cache_parameter_group_name or f"default.{group.engine}{version[0]}"
    return {
        "CacheClusterId": name,
        "ARN": context.arn("elasticache", f"cluster:{name}"),
        "ReplicationGroupId": group.replication_group_id,
        "CacheClusterStatus": group.status,
        "CacheClusterCreateTime": group.replication_group_create_time,
        "Engine": group.engine,
        "EngineVersion": version if version.count(".") > 1 else f"{version}.0",
        "CacheNodeType": group.cache_node_type,
        "NumCacheNodes": 1,
        "CacheNodes": [node],
        "PreferredAvailabilityZone": member["preferred_availability_zone"],
        "PreferredMaintenanceWindow": group.preferred_maintenance_window or "sun:05:00-sun:06:00",
        "SnapshotRetentionLimit": group.snapshot_retention_limit,
        "SnapshotWindow": group.snapshot_window,
        "CacheSubnetGroupName": group.cache_subnet_group_name,
        "CacheParameterGroup": {
            "CacheParameterGroupName": parameters,
            "ParameterApplyStatus": "in-sync",
        },
        "SecurityGroups": [
            {"SecurityGroupId": id_, "Status": "active"} for id_ in group.security_group_ids or []
        ],
        "AutoMinorVersionUpgrade": group.auto_minor_version_upgrade,
        "TransitEncryptionEnabled": group.transit_encryption_enabled,
        "TransitEncryptionMode": group.transit_encryption_mode,
        "AtRestEncryptionEnabled": group.at_rest_encryption_enabled,
        "AuthTokenEnabled": group.auth_token_enabled,
        "NetworkType": "ipv4",
        "IpDiscovery": "ipv4",
    }
