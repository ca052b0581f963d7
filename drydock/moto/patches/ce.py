"""Cost Explorer's anomaly monitors and subscriptions, and the tags shown in bills.

moto 5.2 has cost categories only. No anomaly is ever found here: nothing is billed.
"""

import uuid
from typing import Any

from drydock.errors import ApiError
from drydock.moto.api import Context, Handler
from drydock.moto.shelf import Shelf, set_tags, tag_operations

MONITORS = Shelf("anomaly monitor", "UnknownMonitorException", everywhere=True)
SUBSCRIPTIONS = Shelf("anomaly subscription", "UnknownSubscriptionException", everywhere=True)
ALLOCATION_TAGS = Shelf("cost allocation tag", everywhere=True)


def operations() -> dict[tuple[str, str], Handler]:
    return {
        ("ce", "CreateAnomalyMonitor"): _create_monitor,
        ("ce", "GetAnomalyMonitors"): _monitors,
        ("ce", "UpdateAnomalyMonitor"): _update_monitor,
        ("ce", "DeleteAnomalyMonitor"): MONITORS.deleter("MonitorArn"),
        ("ce", "CreateAnomalySubscription"): _create_subscription,
        ("ce", "GetAnomalySubscriptions"): _subscriptions,
        ("ce", "UpdateAnomalySubscription"): _update_subscription,
        ("ce", "DeleteAnomalySubscription"): SUBSCRIPTIONS.deleter("SubscriptionArn"),
        ("ce", "UpdateCostAllocationTagsStatus"): _allocate,
        ("ce", "ListCostAllocationTags"): _allocated,
        # Cost categories are moto's, with their tags.
        **tag_operations("ce", when=lambda arn: ":anomaly" in arn),
    }


def _arn(context: Context, kind: str) -> str:
    return f"arn:aws:ce::{context.account_id}:{kind}/{uuid.uuid4()}"


def _create_monitor(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    monitor = given["AnomalyMonitor"]
    dimension = monitor.get("MonitorDimension")
    if dimension and any(m.get("MonitorDimension") == dimension for m in MONITORS.list(context)):
        raise ApiError(
            "LimitExceededException", "Limit exceeded on dimensional spend monitor creation", 400
        )
    arn = _arn(context, "anomalymonitor")
    MONITORS.add(context, arn, {**monitor, "MonitorArn": arn, "DimensionalValueCount": 0})
    set_tags(arn, given.get("ResourceTags"))
    return {"MonitorArn": arn}


def _monitors(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    wanted = given.get("MonitorArnList")
    found = [MONITORS.get(context, arn) for arn in wanted] if wanted else MONITORS.list(context)
    return {"AnomalyMonitors": found}


def _update_monitor(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    monitor = MONITORS.get(context, given["MonitorArn"])
    monitor["MonitorName"] = given.get("MonitorName", monitor["MonitorName"])
    return {"MonitorArn": given["MonitorArn"]}


def _create_subscription(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    arn = _arn(context, "anomalysubscription")
    made = {**given["AnomalySubscription"], "SubscriptionArn": arn, "AccountId": context.account_id}
    made["Subscribers"] = _confirmed(made["Subscribers"])
    SUBSCRIPTIONS.add(context, arn, made)
    set_tags(arn, given.get("ResourceTags"))
    return {"SubscriptionArn": arn}


def _confirmed(subscribers: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{**one, "Status": "CONFIRMED"} for one in subscribers]


def _subscriptions(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    wanted = given.get("SubscriptionArnList")
    if wanted:
        return {"AnomalySubscriptions": [SUBSCRIPTIONS.get(context, arn) for arn in wanted]}
    monitor = given.get("MonitorArn")
    found = SUBSCRIPTIONS.list(context)
    return {
        "AnomalySubscriptions": [s for s in found if not monitor or monitor in s["MonitorArnList"]]
    }


def _update_subscription(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    subscription = SUBSCRIPTIONS.get(context, given["SubscriptionArn"])
    subscription.update(given)
    subscription["Subscribers"] = _confirmed(subscription["Subscribers"])
    return {"SubscriptionArn": given["SubscriptionArn"]}


def _allocate(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    for one in given["CostAllocationTagsStatus"]:
        ALLOCATION_TAGS.put(context, one["TagKey"], {**one, "Type": "UserDefined"})
    return {"Errors": []}


def _allocated(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    wanted, status = given.get("TagKeys"), given.get("Status")
    found = [
        tag
        for tag in ALLOCATION_TAGS.list(context)
        if (not wanted or tag["TagKey"] in wanted) and (not status or tag["Status"] == status)
    ]
    return {"CostAllocationTags": found}
