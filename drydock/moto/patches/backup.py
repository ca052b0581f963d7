"""AWS Backup: selections and changes of a plan, which moto 5.2 lacks; tags are read, plans go."""

import uuid
from typing import Any

from moto.backends import get_backend
from moto.backup.models import BackupBackend, Plan
from moto.core.utils import unix_time

from drydock.errors import ApiError
from drydock.moto.api import Context, Handler
from drydock.moto.shelf import Shelf

SELECTIONS = Shelf("backup selection")


def operations() -> dict[tuple[str, str], Handler]:
    return {
        ("backup", "CreateBackupSelection"): _select,
        ("backup", "GetBackupSelection"): lambda context, given: SELECTIONS.get(
            context, given["SelectionId"]
        ),
        ("backup", "ListBackupSelections"): _list_selections,
        ("backup", "DeleteBackupSelection"): SELECTIONS.deleter("SelectionId"),
        ("backup", "UpdateBackupPlan"): _update_plan,
        ("backup", "DeleteBackupPlan"): _delete_plan,
        ("backup", "ListTags"): _list_tags,
    }


def _list_tags(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    # moto takes the ARN from a path with a slash at its end, which not every client writes.
    return {"Tags": _backend(context).list_tags(given["ResourceArn"])}


def _backend(context: Context) -> BackupBackend:
    return get_backend("backup")[context.account_id][context.region]


def _plan(context: Context, given: dict[str, Any]) -> Plan:
    plan = _backend(context).plans.get(given["BackupPlanId"])
    if plan is None:
        raise ApiError("ResourceNotFoundException", f"No backup plan {given['BackupPlanId']}.")
    return plan


def _of_plan(context: Context, plan_id: str) -> list[dict[str, Any]]:
    return [item for item in SELECTIONS.list(context) if item["BackupPlanId"] == plan_id]


def _select(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    _plan(context, given)
    item = {
        "SelectionId": str(uuid.uuid4()),
        "BackupPlanId": given["BackupPlanId"],
        "BackupSelection": given["BackupSelection"],
        "CreationDate": unix_time(),
    }
    return SELECTIONS.add(context, item["SelectionId"], item)


def _list_selections(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    rows = [
        {**item, **item["BackupSelection"]} for item in _of_plan(context, given["BackupPlanId"])
    ]
    return {"BackupSelectionsList": rows}


def _update_plan(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    old = _plan(context, given)
    new = Plan(given["BackupPlan"], old.creator_request_id, _backend(context))
    old.backup_plan, old.version_id = new.backup_plan, new.version_id
    old.advanced_backup_settings = new.advanced_backup_settings
    return old.to_dict()


def _delete_plan(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    plan = _plan(context, given)
    if _of_plan(context, given["BackupPlanId"]):
        raise ApiError(
            "InvalidRequestException", "Related backup plan selections must be deleted first."
        )
    # moto keeps it, and shows it to whoever asks for it.
    del _backend(context).plans[plan.backup_plan_id]
    return {**plan.to_dict(), "DeletionDate": unix_time()}
