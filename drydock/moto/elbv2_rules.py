"""Listener rules that share requests out between two target groups, for whoever turns them."""

import threading
import time

from moto.backends import get_backend
from moto.elbv2.models import FakeAction, FakeRule

from drydock.errors import ApiError
from drydock.moto import elbv2
from drydock.settings import ACCOUNT_ID

_REPORT_SECONDS = 10  # after which load balancers that say nothing are not waited for


class _Turns:
    """How many times rules were turned, and how many of those have been carried out."""

    asked = carried_out = 0
    at = 0.0  # monotonic, of the last


_turns, _lock = _Turns(), threading.Lock()


def asked() -> int:
    """How many times rules have been turned; to be read before what they say is."""
    return _turns.asked


def carried_out(asked: int) -> None:
    """Says that every load balancer sends requests as the rules said at :func:`asked`."""
    _turns.carried_out = max(_turns.carried_out, asked)


def landed() -> bool:
    """Whether requests go where the rules send them; until then what they left must stay."""
    late = time.monotonic() - _turns.at > _REPORT_SECONDS
    return late or _turns.carried_out >= _turns.asked


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
    with _lock:
        _turns.asked, _turns.at = _turns.asked + 1, time.monotonic()
    elbv2.tell()
