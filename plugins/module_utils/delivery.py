"""How a release takes over from the one before: what ECS is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.drydock.ops.plugins.module_utils.ecs import (
    GOING,
    TURNING,
    DeploymentFailed,
    Service,
    newest,
    short,
    strategy_of,
    turned_words,
)

# What a module is told of how a release takes over; see inventories/common/vars/delivery.yml.
OPTIONS: dict[str, dict[str, Any]] = {
    "strategy": {
        "type": "str",
        "choices": ["rolling", "blue_green", "linear", "canary"],
        "required": True,
    },
    "bake_minutes": {"type": "int", "default": 5},
    "percent": {"type": "float", "default": 10.0},
    "step_minutes": {"type": "int", "default": 5},
    "alarms": {"type": "list", "elements": "str", "default": []},
    "hooks": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "function": {"type": "str", "required": True},
            "stages": {"type": "list", "elements": "str", "required": True},
        },
    },
    "target_groups": {"type": "list", "elements": "str", "default": []},
    "client_rule": {"type": "str"},
    "trial_rule": {"type": "str"},
    "role": {"type": "str"},
}


def configuration(delivery: Mapping[str, Any]) -> dict[str, Any]:
    """Return the deploymentConfiguration that a delivery stands for."""
    strategy = delivery["strategy"].upper()
    turned = strategy in TURNING
    alarms = list(delivery["alarms"]) if turned else []
    made: dict[str, Any] = {
        "strategy": strategy,
        "minimumHealthyPercent": 100,
        "maximumPercent": 200,
        "deploymentCircuitBreaker": {"enable": True, "rollback": True},
        "alarms": {"alarmNames": alarms, "enable": bool(alarms), "rollback": bool(alarms)},
    }
    if not turned:
        return made
    made["bakeTimeInMinutes"] = delivery["bake_minutes"]
    made["lifecycleHooks"] = [
        {
            "hookTargetArn": hook["function"],
            "roleArn": delivery["role"],
            "lifecycleStages": hook["stages"],
        }
        for hook in delivery["hooks"]
    ]
    if strategy == "LINEAR":
        made["linearConfiguration"] = {
            "stepPercent": delivery["percent"],
            "stepBakeTimeInMinutes": delivery["step_minutes"],
        }
    if strategy == "CANARY":
        made["canaryConfiguration"] = {
            "canaryPercent": delivery["percent"],
            "canaryBakeTimeInMinutes": delivery["step_minutes"],
        }
    return made


def changes(now: Mapping[str, Any], delivery: Mapping[str, Any] | None, elb: Any) -> dict[str, Any]:
    """Return what UpdateService has to be told so that a service is delivered so.

    Empty where it is already, or where nothing is said of it. A service that is delivered rolling,
    and stays so, is left as Terraform made it.

    now: the service as ECS describes it. elb: boto3's client elbv2. Raises DeploymentFailed.
    """
    if not delivery:
        return {}
    wanted = configuration(delivery)
    before, after = strategy_of(now), wanted["strategy"]
    if before == after == "ROLLING":
        return {}
    if not now["loadBalancers"] and not delivery["target_groups"]:
        raise DeploymentFailed(
            f"{now['serviceName']} has no clients that a delivery of {delivery['strategy']} could "
            "turn: deploy it with -e delivery=rolling, or say so at its host in the inventory. "
            "Nothing was changed."
        )
    found: dict[str, Any] = {}
    has = {"lifecycleHooks": [], **(now.get("deploymentConfiguration") or {})}
    if any(has.get(key) != value for key, value in wanted.items()):
        found["deploymentConfiguration"] = wanted
    balancers = _balancers(now, delivery, elb)
    if balancers != now["loadBalancers"]:
        found["loadBalancers"] = balancers
    return found


def _balancers(
    now: Mapping[str, Any], delivery: Mapping[str, Any], elb: Any
) -> list[dict[str, Any]]:
    if len(now["loadBalancers"]) != 1 or len(delivery["target_groups"]) != 2:
        raise DeploymentFailed(
            f"{now['serviceName']} has {len(now['loadBalancers'])} target groups and is given "
            f"{len(delivery['target_groups'])} to take turns in; clients are turned from one to "
            "one other: run playbooks/provision.yml --limit platform. Nothing was changed."
        )
    has = now["loadBalancers"][0]
    plain = {key: has[key] for key in ("containerName", "containerPort")}
    if delivery["strategy"] == "rolling":
        group = serving(elb, delivery["client_rule"], has["targetGroupArn"])
        return [{**plain, "targetGroupArn": group}]
    # Which of the two is named first says nothing once they have taken turns.
    first = has["targetGroupArn"]
    others = [group for group in delivery["target_groups"] if group != first]
    if len(others) != 1:
        raise DeploymentFailed(
            f"{now['serviceName']} serves from {first}, which is neither of "
            f"{', '.join(delivery['target_groups'])}: run playbooks/provision.yml --limit "
            "platform. Nothing was changed."
        )
    advanced = {
        "alternateTargetGroupArn": others[0],
        "productionListenerRule": delivery["client_rule"],
        "roleArn": delivery["role"],
    }
    if delivery["trial_rule"]:
        advanced["testListenerRule"] = delivery["trial_rule"]
    return [{**plain, "targetGroupArn": first, "advancedConfiguration": advanced}]


def serving(elb: Any, rule: str, otherwise: str) -> str:
    """Return the target group that a listener rule sends most clients to."""
    actions = elb.describe_rules(RuleArns=[rule])["Rules"][0]["Actions"]
    groups = [
        group
        for action in actions
        for group in (action.get("ForwardConfig") or {}).get("TargetGroups", [])
    ]
    heaviest = max(groups, key=lambda group: group.get("Weight", 1), default=None)
    return heaviest["TargetGroupArn"] if heaviest else otherwise


def refuse_while_turning(service: Service, now: Mapping[str, Any]) -> None:
    """Raise DeploymentFailed where an earlier release is still taking over."""
    going = newest(service, now)
    if going and going["status"] in GOING:
        raise DeploymentFailed(
            f"An earlier release of {service.name} is still taking over ({turned_words(going)}; "
            f"{short(going['serviceDeploymentArn'])}): wait until it is done, or take it back with "
            f"playbooks/rollback.yml --limit {service.name}. Nothing was changed."
        )
