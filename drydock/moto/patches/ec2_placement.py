"""EC2's placement groups, which moto lacks."""

import uuid
from typing import Any

from moto.backends import get_backend
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, EC2_RESOURCE_TO_PREFIX

from drydock.errors import ApiError
from drydock.moto.api import Context, Handler
from drydock.moto.shelf import Shelf
from drydock.settings import ACCOUNT_ID

_UNKNOWN = "InvalidPlacementGroup.Unknown"
GROUPS = Shelf("placement group", missing=_UNKNOWN, taken="InvalidPlacementGroup.Duplicate")


def apply() -> None:
    """Lets moto's calls about tags know the ids."""
    EC2_RESOURCE_TO_PREFIX["placement-group"] = "pg"
    EC2_PREFIX_TO_RESOURCE["pg"] = "placement-group"


def operations() -> dict[tuple[str, str], Handler]:
    return {
        ("ec2", "CreatePlacementGroup"): _create,
        ("ec2", "DescribePlacementGroups"): _describe,
        ("ec2", "DeletePlacementGroup"): _delete,
    }


def _ec2(context: Context) -> Any:
    return get_backend("ec2")[ACCOUNT_ID][context.region]


def _create(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    strategy = given.get("Strategy") or "cluster"
    group = {
        "GroupName": given["GroupName"],
        "GroupId": f"pg-{uuid.uuid4().hex[:17]}",
        "GroupArn": context.arn("ec2", f"placement-group/{given['GroupName']}"),
        "State": "available",
        "Strategy": strategy,
    }
    if strategy == "partition":
        group["PartitionCount"] = given.get("PartitionCount") or 2
    if strategy == "spread":
        group["SpreadLevel"] = given.get("SpreadLevel") or "rack"
    GROUPS.add(context, given["GroupName"], group)
    # EC2's tags are told by id, and by calls that moto answers.
    for wanted in given.get("TagSpecifications", []):
        tags = {tag["Key"]: tag["Value"] for tag in wanted.get("Tags", [])}
        _ec2(context).create_tags([group["GroupId"]], tags)
    return {"PlacementGroup": _shown(context, group)}


def _shown(context: Context, group: dict[str, Any]) -> dict[str, Any]:
    found = _ec2(context).describe_tags(filters={"resource-id": [group["GroupId"]]})
    return {**group, "Tags": [{"Key": tag["key"], "Value": tag["value"]} for tag in found]}


def _describe(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    names, ids = given.get("GroupNames", []), given.get("GroupIds", [])
    if given.get("Filters"):
        raise ApiError(
            "NotImplemented",
            "The embedded cloud finds placement groups by name or id, not by Filters.",
            501,
        )
    groups = [GROUPS.get(context, name) for name in names] if names else GROUPS.list(context)
    if missing := set(ids) - {group["GroupId"] for group in groups}:
        raise ApiError(_UNKNOWN, f"There is no placement group {', '.join(sorted(missing))}.")
    return {"PlacementGroups": [_shown(context, group) for group in groups
                                if not ids or group["GroupId"] in ids]}  # fmt: skip


def _delete(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    name = given["GroupName"]
    users = [group.name for group in
             get_backend("autoscaling")[ACCOUNT_ID][context.region].autoscaling_groups.values()
             if group.placement_group == name]  # fmt: skip
    if name and users:
        raise ApiError(
            "InvalidPlacementGroup.InUse",
            f"The placement group {name} is used by {', '.join(users)}: delete that first.",
        )
    gone = GROUPS.delete(context, name)
    _ec2(context).tags.pop(gone["GroupId"], None)
    return {}
