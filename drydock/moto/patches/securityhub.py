"""Security Hub's settings and the standards that it holds the account against.

moto 5.2 turns the hub on and off and keeps findings that are imported; it has neither
UpdateSecurityHubConfiguration nor standards. No control is ever checked here.
"""

from typing import Any

from moto.backends import get_backend
from moto.securityhub.models import SecurityHubBackend

from drydock.errors import ApiError
from drydock.moto.api import Context, Handler
from drydock.moto.shelf import Shelf

STANDARDS = Shelf("standards subscription")
_SETTINGS = ("AutoEnableControls", "ControlFindingGenerator")


def _described(original: Any) -> Any:
    def describe_hub(self: SecurityHubBackend, hub_arn: str | None = None) -> dict[str, Any]:
        return {**original(self, hub_arn), **getattr(self, "drydock_settings", {})}

    return describe_hub


def _disabled(original: Any) -> Any:
    def disable_security_hub(self: SecurityHubBackend) -> dict[str, Any]:
        answer = original(self)
        here = Context(self.region_name, self.account_id)
        for subscription in STANDARDS.list(here):
            STANDARDS.delete(here, subscription["StandardsSubscriptionArn"])
        self.drydock_settings = {}
        return answer

    return disable_security_hub


def apply() -> None:
    SecurityHubBackend.describe_hub = _described(SecurityHubBackend.describe_hub)
    SecurityHubBackend.disable_security_hub = _disabled(SecurityHubBackend.disable_security_hub)


def operations() -> dict[tuple[str, str], Handler]:
    handlers = {
        "UpdateSecurityHubConfiguration": _update,
        "BatchEnableStandards": _enable,
        "GetEnabledStandards": _enabled,
        "BatchDisableStandards": _disable,
    }
    return {("securityhub", action): handler for action, handler in handlers.items()}


def _hub(context: Context) -> SecurityHubBackend:
    """The hub of the region; refuses when it is off, as AWS does."""
    backend = get_backend("securityhub")[context.account_id][context.region]
    if not backend.enabled:
        raise ApiError(
            "InvalidAccessException", "Account is not subscribed to AWS Security Hub.", 401
        )
    return backend


def _update(context: Context, given: dict[str, Any]) -> None:
    hub = _hub(context)
    new = {name: given[name] for name in _SETTINGS if given.get(name) is not None}
    hub.drydock_settings = {**getattr(hub, "drydock_settings", {}), **new}


def _enable(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    _hub(context)
    made = []
    for request in given["StandardsSubscriptionRequests"]:
        standard = request["StandardsArn"]
        # arn:…::standards/<name>/v/1 → arn:…:<account>:subscription/<name>/v/1
        name = standard.partition("standards/")[2] or standard.partition("ruleset/")[2]
        arn = context.arn("securityhub", f"subscription/{name}")
        made.append(
            STANDARDS.put(
                context,
                arn,
                {
                    "StandardsSubscriptionArn": arn,
                    "StandardsArn": standard,
                    "StandardsInput": request.get("StandardsInput") or {},
                    "StandardsStatus": "READY",
                    "StandardsControlsUpdatable": "READY_FOR_UPDATES",
                },
            )
        )
    return {"StandardsSubscriptions": made}


def _enabled(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    _hub(context)
    wanted = given.get("StandardsSubscriptionArns")
    found = [
        subscription
        for subscription in STANDARDS.list(context)
        if not wanted or subscription["StandardsSubscriptionArn"] in wanted
    ]
    return {"StandardsSubscriptions": found}


def _disable(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    _hub(context)
    gone = [STANDARDS.delete(context, arn) for arn in given["StandardsSubscriptionArns"]]
    return {"StandardsSubscriptions": [{**s, "StandardsStatus": "DELETING"} for s in gone]}
