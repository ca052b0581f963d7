"""Budgets with who is told of them, tags and changes in place.

moto 5.2 keeps a notification's subscribers but never shows them, refuses tags, and knows no change
of a budget or of a notification.
"""

from typing import Any

from moto.budgets.models import Budget, Notification, budgets_backends

from drydock.errors import ApiError
from drydock.moto.api import PASS, Context, Handler
from drydock.moto.shelf import forget_tags, set_tags, tag_operations


def operations() -> dict[tuple[str, str], Handler]:
    return {
        ("budgets", "CreateBudget"): _create,
        ("budgets", "UpdateBudget"): _update,
        ("budgets", "DeleteBudget"): _delete,
        ("budgets", "UpdateNotification"): _update_notification,
        ("budgets", "DescribeSubscribersForNotification"): _subscribers,
        **tag_operations("budgets"),
    }


def _arn(context: Context, name: str) -> str:
    return f"arn:aws:budgets::{context.account_id}:budget/{name}"


def _budget(given: dict[str, Any], name: str) -> Budget:
    account = given["AccountId"]
    found = budgets_backends[account]["aws"].budgets[account].get(name)
    if found is None:
        raise ApiError("NotFoundException", f"There is no budget {name}.", 404)
    return found


def _notification(given: dict[str, Any], wanted: str) -> Notification:
    for one in _budget(given, given["BudgetName"]).notifications:
        if one.details == given[wanted]:
            return one
    raise ApiError("NotFoundException", f"{given['BudgetName']} has no such notification.", 404)


def _create(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    set_tags(_arn(context, given["Budget"]["BudgetName"]), given.get("ResourceTags"))
    return PASS


def _update(_context: Context, given: dict[str, Any]) -> dict[str, Any]:
    budget = _budget(given, given["NewBudget"]["BudgetName"])
    made = Budget(given["NewBudget"], [])
    budget.budget = {"TimePeriod": budget.budget["TimePeriod"], **made.budget}
    return {}


def _delete(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    forget_tags(_arn(context, given["BudgetName"]))
    return PASS


def _update_notification(_context: Context, given: dict[str, Any]) -> dict[str, Any]:
    _notification(given, "OldNotification").details = given["NewNotification"]
    return {}


def _subscribers(_context: Context, given: dict[str, Any]) -> dict[str, Any]:
    return {"Subscribers": _notification(given, "Notification").subscribers}
