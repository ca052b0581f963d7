"""Global Accelerator, which moto 5.2 lacks: accelerators, listeners and endpoint groups as records.

No packet goes through one. What is held: refusals of AWS that an order of deletion depends on
(an accelerator must be disabled and empty first).
"""

import datetime
import uuid
from typing import Any

from drydock.errors import ApiError
from drydock.moto.api import Context, Handler
from drydock.moto.shelf import Shelf, forget_tags, set_tags, tag_operations

ACCELERATORS = Shelf("accelerator", "AcceleratorNotFoundException", everywhere=True)
LISTENERS = Shelf("listener", "ListenerNotFoundException", everywhere=True)
GROUPS = Shelf("endpoint group", "EndpointGroupNotFoundException", everywhere=True)
ATTRIBUTES = Shelf("accelerator", "AcceleratorNotFoundException", everywhere=True)

# What AWS fills in (API reference of Global Accelerator, CreateEndpointGroup).
_GROUP_DEFAULTS = {
    "TrafficDialPercentage": 100.0,
    "HealthCheckProtocol": "TCP",
    "HealthCheckIntervalSeconds": 30,
    "ThresholdCount": 3,
}


def operations() -> dict[tuple[str, str], Handler]:
    calls: dict[str, Handler] = {
        "CreateAccelerator": _create_accelerator,
        "DescribeAccelerator": ACCELERATORS.getter("AcceleratorArn", "Accelerator"),
        "ListAccelerators": ACCELERATORS.lister("Accelerators"),
        "UpdateAccelerator": _update_accelerator,
        "DeleteAccelerator": _delete_accelerator,
        "DescribeAcceleratorAttributes": ATTRIBUTES.getter(
            "AcceleratorArn", "AcceleratorAttributes"
        ),
        "UpdateAcceleratorAttributes": _update_attributes,
        "CreateListener": _create_listener,
        "DescribeListener": LISTENERS.getter("ListenerArn", "Listener"),
        "ListListeners": _children(LISTENERS, "AcceleratorArn", "ListenerArn", "Listeners"),
        "UpdateListener": _update_listener,
        "DeleteListener": _delete_listener,
        "CreateEndpointGroup": _create_group,
        "DescribeEndpointGroup": GROUPS.getter("EndpointGroupArn", "EndpointGroup"),
        "ListEndpointGroups": _children(
            GROUPS, "ListenerArn", "EndpointGroupArn", "EndpointGroups"
        ),
        "UpdateEndpointGroup": _update_group,
        "DeleteEndpointGroup": GROUPS.deleter("EndpointGroupArn"),
        # Endpoints of other accounts: there is one account here.
        "ListCrossAccountResources": lambda _context, _given: {"CrossAccountResources": []},
    }
    return {
        **{("globalaccelerator", action): handler for action, handler in calls.items()},
        **tag_operations("globalaccelerator"),
    }


def _children(shelf: Shelf, parent: str, own: str, answer: str) -> Handler:
    """A handler that lists what hangs below an ARN: children's ARNs begin with their parent's."""
    return lambda context, given: {
        answer: [item for item in shelf.list(context) if item[own].startswith(given[parent] + "/")]
    }


def _create_accelerator(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    number = uuid.uuid4()
    arn = f"arn:aws:globalaccelerator::{context.account_id}:accelerator/{number}"
    now = datetime.datetime.now(datetime.UTC)
    # Addresses of the documentation's range (RFC 5737): they lead nowhere, as it does.
    addresses = given.get("IpAddresses") or [
        f"192.0.2.{number.bytes[0]}",
        f"198.51.100.{number.bytes[1]}",
    ]
    item = {
        "AcceleratorArn": arn,
        "Name": given["Name"],
        "IpAddressType": given.get("IpAddressType", "IPV4"),
        "Enabled": given.get("Enabled", True),
        "IpSets": [{"IpFamily": "IPv4", "IpAddressFamily": "IPv4", "IpAddresses": addresses}],
        "DnsName": f"a{number.hex[:16]}.awsglobalaccelerator.com",
        "Status": "DEPLOYED",
        "CreatedTime": now,
        "LastModifiedTime": now,
    }
    set_tags(arn, given.get("Tags"))
    ATTRIBUTES.add(context, arn, {"FlowLogsEnabled": False})
    return {"Accelerator": ACCELERATORS.add(context, arn, item)}


def _update_accelerator(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    item = ACCELERATORS.get(context, given["AcceleratorArn"])
    changed = {key: given[key] for key in ("Name", "IpAddressType", "Enabled") if key in given}
    item.update(changed, LastModifiedTime=datetime.datetime.now(datetime.UTC))
    return {"Accelerator": item}


def _delete_accelerator(context: Context, given: dict[str, Any]) -> None:
    arn = given["AcceleratorArn"]
    if ACCELERATORS.get(context, arn)["Enabled"]:
        raise ApiError("AcceleratorNotDisabledException", f"{arn} must be disabled first.")
    if any(listener["ListenerArn"].startswith(arn + "/") for listener in LISTENERS.list(context)):
        raise ApiError("AssociatedListenerFoundException", f"{arn} has listeners.")
    ACCELERATORS.delete(context, arn)
    ATTRIBUTES.delete(context, arn)
    forget_tags(arn)


def _update_attributes(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    item = ATTRIBUTES.get(context, given["AcceleratorArn"])
    item.update({key: value for key, value in given.items() if key != "AcceleratorArn"})
    return {"AcceleratorAttributes": item}


def _create_listener(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    parent = ACCELERATORS.get(context, given["AcceleratorArn"])["AcceleratorArn"]
    arn = f"{parent}/listener/{uuid.uuid4().hex[:8]}"
    item = {
        "ListenerArn": arn,
        "PortRanges": given["PortRanges"],
        "Protocol": given["Protocol"],
        "ClientAffinity": given.get("ClientAffinity", "NONE"),
    }
    return {"Listener": LISTENERS.add(context, arn, item)}


def _update_listener(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    item = LISTENERS.get(context, given["ListenerArn"])
    item.update({k: given[k] for k in ("PortRanges", "Protocol", "ClientAffinity") if k in given})
    return {"Listener": item}


def _delete_listener(context: Context, given: dict[str, Any]) -> None:
    arn = given["ListenerArn"]
    if any(group["EndpointGroupArn"].startswith(arn + "/") for group in GROUPS.list(context)):
        raise ApiError("AssociatedEndpointGroupFoundException", f"{arn} has endpoint groups.")
    LISTENERS.delete(context, arn)


def _create_group(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    listener, region = LISTENERS.get(context, given["ListenerArn"]), given["EndpointGroupRegion"]
    beside = _children(GROUPS, "ListenerArn", "EndpointGroupArn", "groups")(context, given)
    if any(group["EndpointGroupRegion"] == region for group in (beside or {})["groups"]):
        raise ApiError(
            "EndpointGroupAlreadyExistsException", f"The listener has a group in {region} already."
        )
    arn = f"{listener['ListenerArn']}/endpoint-group/{uuid.uuid4().hex[:12]}"
    port = listener["PortRanges"][0]["FromPort"]
    item = {"EndpointGroupArn": arn, "EndpointGroupRegion": region, "HealthCheckPort": port}
    GROUPS.add(context, arn, {**item, **_GROUP_DEFAULTS, **_settings(given)})
    return {"EndpointGroup": GROUPS.get(context, arn)}


def _update_group(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    item = GROUPS.get(context, given["EndpointGroupArn"])
    item.update(_settings(given))
    return {"EndpointGroup": item}


def _settings(given: dict[str, Any]) -> dict[str, Any]:
    """What a call says of a group, in the words of the answer."""
    names = (*_GROUP_DEFAULTS, "HealthCheckPort", "HealthCheckPath", "PortOverrides")
    settings = {name: given[name] for name in names if given.get(name) is not None}
    if "EndpointConfigurations" in given:
        settings["EndpointDescriptions"] = [
            {
                "Weight": 128,
                "ClientIPPreservationEnabled": True,
                **endpoint,
                "HealthState": "HEALTHY",
            }
            for endpoint in given["EndpointConfigurations"]
        ]
    return settings
