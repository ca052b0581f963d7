"""Listener rules that share requests out between two target groups, for whoever turns them."""

from moto.backends import get_backend
from moto.elbv2.models import FakeAction, FakeRule

from drydock.errors import ApiError
from drydock.moto import elbv2
from drydock.settings import ACCOUNT_ID


def _rule(arn: str) -> FakeRule:
    if arn.count(":") > 3:
        for balancer in get_backend("elbv2")[ACCOUNT_ID][arn.split(":")[3]].load_balancers.values():
            for listener in balancer.listeners.values():
                for rule in listener.rules.values():
                    if rule.arn == arn:
                        return rule
    raise ApiError("RuleNotFound", f"One or more rules not found: {arn}")


def exists(arn: str) -> bool:
    try:
        _rule(arn)
    except ApiError:
        return False
    return True


def share_out(arn: str, shares: dict[str, float]) -> None:
    """Makes a rule forward to these groups alone; what it does before that stays.

    Args:
        shares: target group ARN → percent. A group with none is named in the rule all the
            same: without a listener its targets would not be checked.

    Raises ApiError when the rule is unknown.
    """
    whole = all(float(share).is_integer() for share in shares.values())
    # Weights are whole numbers up to 999.
    weights = {group: min(round(p if whole else 10 * p), 999) for group, p in shares.items()}
    action = {
        "Type": "forward",
        "ForwardConfig": {
            "TargetGroups": [
                {"TargetGroupArn": group, "Weight": weight} for group, weight in weights.items()
            ]
        },
    }
    rule = _rule(arn)
    others = [one for one in rule.actions if one.type != "forward"]
    rule.actions = [*others, FakeAction(action | {"Order": len(others) + 1})]
    elbv2.tell()
