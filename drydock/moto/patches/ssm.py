"""Maintenance windows that can be looked at and changed.

moto 5.2 registers targets and tasks of a window but finds none by its ID, changes none of the
three, and forgets some of a window's own parameters.
"""

from typing import Any

from moto.ssm.models import FakeMaintenanceWindow, ssm_backends

from drydock.errors import ApiError
from drydock.moto.api import Context, Handler

# Name in the API → attribute of moto's model.
_WINDOW = {
    "Name": "name",
    "Description": "description",
    "Schedule": "schedule",
    "ScheduleTimezone": "schedule_timezone",
    "ScheduleOffset": "schedule_offset",
    "Duration": "duration",
    "Cutoff": "cutoff",
    "StartDate": "start_date",
    "EndDate": "end_date",
    "Enabled": "enabled",
    "AllowUnassociatedTargets": "allow_unassociated_targets",
}
_TARGET = {
    "Name": "name",
    "Description": "description",
    "Targets": "targets",
    "OwnerInformation": "owner_information",
}
_TASK = {
    "Name": "name",
    "Description": "description",
    "Targets": "targets",
    "TaskArn": "task_arn",
    "ServiceRoleArn": "service_role_arn",
    "TaskParameters": "task_parameters",
    "TaskInvocationParameters": "task_invocation_parameters",
    "Priority": "priority",
    "MaxConcurrency": "max_concurrency",
    "MaxErrors": "max_errors",
    "LoggingInfo": "logging_info",
    "CutoffBehavior": "cutoff_behavior",
    "AlarmConfiguration": "alarm_configurations",
}


def operations() -> dict[tuple[str, str], Handler]:
    return {
        ("ssm", "CreateMaintenanceWindow"): _create_window,
        ("ssm", "GetMaintenanceWindow"): _window,
        ("ssm", "UpdateMaintenanceWindow"): _update_window,
        ("ssm", "DescribeMaintenanceWindowTargets"): _targets,
        ("ssm", "UpdateMaintenanceWindowTarget"): _update_target,
        ("ssm", "GetMaintenanceWindowTask"): _task,
        ("ssm", "UpdateMaintenanceWindowTask"): _update_task,
    }


def _find(context: Context, given: dict[str, Any], kind: str = "") -> Any:
    """The window, or what it has of a kind (`targets`, `tasks`) under the given ID."""
    windows = ssm_backends[context.account_id][context.region].windows
    found = windows.get(given["WindowId"])
    wanted = given["WindowId"]
    if found and kind:
        wanted = given[{"targets": "WindowTargetId", "tasks": "WindowTaskId"}[kind]]
        found = getattr(found, kind).get(wanted)
    if found is None:
        raise ApiError("DoesNotExistException", f"There is no maintenance window's {wanted}.", 400)
    return found


def _shown(thing: Any, names: dict[str, str]) -> dict[str, Any]:
    shown = {name: getattr(thing, attribute, None) for name, attribute in names.items()}
    return {name: value for name, value in shown.items() if value is not None}


def _change(thing: Any, given: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """Replaces what is given; with Replace what is not given is taken away."""
    for name, attribute in names.items():
        if name in given or (given.get("Replace") and name not in ("Name", "Enabled")):
            setattr(thing, attribute, given.get(name))
    return _shown(thing, names)


def _create_window(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    made = {attribute: given.get(name) for name, attribute in _WINDOW.items()}
    # What moto's model does not know is kept beside what it does.
    ours = {"allow_unassociated_targets": made.pop("allow_unassociated_targets"), "enabled": True}
    del made["enabled"]
    backend = ssm_backends[context.account_id][context.region]
    name = backend.create_maintenance_window(**made, tags=given.get("Tags"))
    vars(backend.windows[name]).update(ours)
    return {"WindowId": name}


def _window(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    window: FakeMaintenanceWindow = _find(context, given)
    return {"WindowId": given["WindowId"], **_shown(window, _WINDOW)}


def _update_window(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    window: FakeMaintenanceWindow = _find(context, given)
    return {"WindowId": given["WindowId"], **_change(window, given, _WINDOW)}


def _targets(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    wanted = {one["Key"]: one["Values"] for one in given.get("Filters", [])}
    found = [
        {"ResourceType": target.resource_type, **_ids(target, "target"), **_shown(target, _TARGET)}
        for target in _find(context, given).targets.values()
    ]
    return {"Targets": [one for one in found if all(one.get(key) in wanted[key] for key in wanted)]}


def _ids(thing: Any, kind: str) -> dict[str, str]:
    own = getattr(thing, f"window_{kind}_id")
    return {"WindowId": thing.window_id, f"Window{kind.title()}Id": own}


def _update_target(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    target = _find(context, given, "targets")
    return _ids(target, "target") | _change(target, given, _TARGET)


def _task(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    task = _find(context, given, "tasks")
    return {**_ids(task, "task"), "TaskType": task.task_type, **_shown(task, _TASK)}


def _update_task(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    task = _find(context, given, "tasks")
    return _ids(task, "task") | _change(task, given, _TASK)
