"""Deployment strategies other than rolling: what is asked for, checked and reckoned.

Shapes, ranges and defaults: ECS API reference, ``DeploymentConfiguration``,
``LinearConfiguration``, ``CanaryConfiguration`` and ``AdvancedConfiguration``.
"""

from typing import Any, NamedTuple

from drydock.controllers.ecs import hooks
from drydock.errors import ApiError
from drydock.moto import elbv2_rules

Params = dict[str, Any]
TURNING = ("BLUE_GREEN", "LINEAR", "CANARY")
_MOST_MINUTES = 1440
_OWN = {
    "LINEAR": ("linearConfiguration", {"stepPercent": 10.0, "stepBakeTimeInMinutes": 6}),
    "CANARY": ("canaryConfiguration", {"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 10}),
}
_LEAST = {"stepPercent": 3.0, "canaryPercent": 0.1}
_NEEDED = ("alternateTargetGroupArn", "productionListenerRule", "roleArn")


class Step(NamedTuple):
    """Percent of the clients that the new revision has, and for how many minutes at least."""

    share: float
    minutes: int


def turns(configuration: Params) -> bool:
    """Whether clients are turned from one target group to another."""
    return configuration.get("strategy", "ROLLING") in TURNING


def filled(configuration: Params) -> Params:
    """With AWS's defaults of its strategy."""
    name, defaults = _OWN.get(configuration.get("strategy", ""), ("", {}))
    if not name:
        return configuration
    return configuration | {name: {**defaults, **(configuration.get(name) or {})}}


def steps(configuration: Params) -> list[Step]:
    """By which steps the clients are turned; the last is always 100 %, without a wait."""
    strategy, made = configuration["strategy"], []
    if strategy == "CANARY":
        given = configuration["canaryConfiguration"]
        made = [Step(float(given["canaryPercent"]), given["canaryBakeTimeInMinutes"])]
    elif strategy == "LINEAR":
        given = configuration["linearConfiguration"]
        tenths = round(10 * given["stepPercent"])
        made = [Step(n / 10, given["stepBakeTimeInMinutes"]) for n in range(tenths, 1000, tenths)]
    return [*(step for step in made if step.share < 100), Step(100.0, 0)]


def pair(balancer: Params) -> tuple[str, str]:
    """The two target groups of one of a service's load balancers."""
    return balancer["targetGroupArn"], balancer["advancedConfiguration"]["alternateTargetGroupArn"]


def check(configuration: Params, balancers: list[Params]) -> None:
    """Raises ApiError, InvalidParameterException, for what ECS, or this cloud, does not take."""
    strategy = configuration.get("strategy", "ROLLING")
    if strategy not in ("ROLLING", *TURNING):
        raise _refuse(f"Invalid deployment strategy {strategy}. Valid values: ROLLING, "
                      f"{', '.join(TURNING)}.")  # fmt: skip
    for name, (key, _) in _OWN.items():
        if configuration.get(key) and name != strategy:
            raise _refuse(f"{key} is only valid with the {name} deployment strategy.")
    _check_hooks(configuration.get("lifecycleHooks") or [], strategy)
    advanced = [one for one in balancers if one.get("advancedConfiguration")]
    if strategy == "ROLLING":
        if advanced:
            raise _refuse("advancedConfiguration is not valid with the ROLLING deployment "
                          "strategy.")  # fmt: skip
        return
    _check_times(configuration, strategy)
    if len(advanced) != len(balancers) or not balancers:
        raise _refuse(f"The {strategy} deployment strategy requires advancedConfiguration for "
                      "each load balancer; the embedded cloud knows it with load balancers only "
                      "(docs/fidelity.md).")  # fmt: skip
    for kind in ("deploymentCircuitBreaker", "alarms"):
        asked = configuration.get(kind) or {}
        if asked.get("enable") and not asked.get("rollback"):
            raise _refuse(f"The embedded cloud knows {kind} with {strategy} only with rollback "
                          "(docs/fidelity.md).")  # fmt: skip
    for balancer in balancers:
        _check_balancer(balancer)


def _check_hooks(asked: list[Params], strategy: str) -> None:
    if asked and strategy == "ROLLING":
        raise _refuse("lifecycleHooks are not valid with the ROLLING deployment strategy.")
    for hook in asked:
        if hook.get("targetType", "AWS_LAMBDA") != "AWS_LAMBDA":
            raise _refuse(f"The embedded cloud has no hooks of targetType {hook['targetType']}; "
                          "use AWS_LAMBDA.")  # fmt: skip
        for key in ("hookTargetArn", "roleArn", "lifecycleStages"):
            if not hook.get(key):
                raise _refuse(f"{key} is required for an AWS_LAMBDA lifecycle hook.")
        if unknown := set(hook["lifecycleStages"]) - set(hooks.STAGES):
            raise _refuse(f"Invalid lifecycle stages {', '.join(sorted(unknown))}. Valid values: "
                          f"{', '.join(hooks.STAGES)}.")  # fmt: skip


def _check_times(configuration: Params, strategy: str) -> None:
    if strategy == "BLUE_GREEN" and configuration.get("bakeTimeInMinutes") is None:
        raise _refuse("bakeTimeInMinutes is required for the BLUE_GREEN deployment strategy.")
    given = dict(configuration.get(_OWN.get(strategy, ("",))[0]) or {})
    for key, value in {
        "bakeTimeInMinutes": configuration.get("bakeTimeInMinutes"),
        **given,
    }.items():
        if key.endswith("InMinutes") and value is not None and not 0 <= value <= _MOST_MINUTES:
            raise _refuse(f"{key} must be between 0 and {_MOST_MINUTES}, but is {value}.")
        if key in _LEAST and not (
            _LEAST[key] <= value <= 100 and abs(value * 10 - round(value * 10)) < 1e-6
        ):
            raise _refuse(f"{key} must be a multiple of 0.1 from {_LEAST[key]} to 100.0, but is "
                          f"{value}.")  # fmt: skip


def _check_balancer(balancer: Params) -> None:
    advanced = balancer["advancedConfiguration"]
    for key in _NEEDED:
        if not advanced.get(key):
            raise _refuse(f"{key} is required in advancedConfiguration.")
    first, second = pair(balancer)
    if first == second:
        raise _refuse("targetGroupArn and alternateTargetGroupArn must be different.")
    for key in ("productionListenerRule", "testListenerRule"):
        if advanced.get(key) and not elbv2_rules.exists(advanced[key]):
            raise _refuse(f"The {key} {advanced[key]} does not exist.")


def _refuse(text: str) -> ApiError:
    return ApiError("InvalidParameterException", text)
