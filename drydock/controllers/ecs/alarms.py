"""CloudWatch alarms that can fail a deployment (ECS developer guide, "How CloudWatch alarms
detect Amazon ECS deployment failures")."""

from collections.abc import Callable

from drydock.controllers.ecs.deployment import Rollout
from drydock.moto import cloudwatch


def settle(rollout: Rollout, region: str) -> None:
    """Settles, once, which alarms are watched.

    None when one of them is red already: a deployment that mends what is wrong must not fail
    for it.
    """
    if rollout.watched is None:
        asked = rollout.configuration.get("alarms") or {}
        names = asked.get("alarmNames", []) if asked.get("enable") else []
        rollout.watched = [] if _red(names, region) else list(names)


def turned_red(rollout: Rollout, region: str) -> bool:
    """Whether a watched alarm fails the deployment now."""
    if rollout.status != "IN_PROGRESS" or not rollout.watched:
        return False
    rollout.red = _red(rollout.watched, region)
    return bool(rollout.red)


def baked(
    rollout: Rollout, region: str, whole: bool, now: float, scaled: Callable[[float], float]
) -> bool:
    """Whether a deployment whose tasks are all fit is completed.

    With alarms it has to stand for as long as they take to see a fault.

    Args:
        whole: whether its tasks are fit, and none of before are left.
        now: monotonic seconds.
        scaled: seconds here for seconds of AWS.
    """
    if not whole:
        rollout.whole = None
        return False
    rollout.whole = rollout.whole or now
    watched = rollout.watched if rollout.status == "IN_PROGRESS" else []
    needed = max((_seconds(region, name) for name in watched or []), default=0)
    return now - rollout.whole >= scaled(needed)


def _red(names: list[str], region: str) -> list[str]:
    found = {name: cloudwatch.alarm(region, name) for name in names}
    return [name for name, alarm in found.items() if alarm and alarm.state == "ALARM"]


def _seconds(region: str, name: str) -> int:
    """How long an alarm looks back; 0 of one that is not there, or is made of others."""
    alarm = cloudwatch.alarm(region, name)
    given = alarm.parameters if alarm else {}
    periods = [given.get("Period") or 0]
    for query in given.get("Metrics") or []:
        periods += [query.get("Period") or 0, (query.get("MetricStat") or {}).get("Period") or 0]
    return max(periods) * (given.get("EvaluationPeriods") or 0)
