"""A maintenance window is shown as it was made, found by its parts, and changed in place."""

from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws
from moto.ssm.models import ssm_backends

from drydock.errors import ApiError
from drydock.moto.api import Context
from drydock.moto.patches import ssm
from drydock.settings import ACCOUNT_ID

HERE = Context("us-east-1")
MADE = {
    "Name": "patches",
    "Schedule": "cron(0 3 ? * SUN *)",
    "ScheduleTimezone": "Europe/Berlin",
    "Duration": 3,
    "Cutoff": 1,
    "AllowUnassociatedTargets": False,
}
TAGGED = [{"Key": "tag:Environment", "Values": ["dev"]}]


def call(action: str, **given: Any) -> Any:
    return ssm.operations()[("ssm", action)](HERE, given)


@pytest.fixture
def window() -> Iterator[str]:
    with mock_aws():
        yield call("CreateMaintenanceWindow", **MADE)["WindowId"]


@pytest.fixture
def parts(window: str) -> tuple[str, str]:
    """IDs of a target and a task, registered by moto."""
    backend = ssm_backends[ACCOUNT_ID]["us-east-1"]
    target = backend.register_target_with_maintenance_window(
        window, "INSTANCE", TAGGED, None, "hosts", None
    )
    task = backend.register_task_with_maintenance_window(
        window, [{"Key": "WindowTargetIds", "Values": [target]}], "AWS-RunPatchBaseline", None,
        "RUN_COMMAND", None, None, 1, "1", "0", None, "patch", None, "CONTINUE_TASK", None,
    )  # fmt: skip
    return target, task


def test_it_is_shown_as_it_was_made(window: str) -> None:
    assert call("GetMaintenanceWindow", WindowId=window) == {
        "WindowId": window,
        "Enabled": True,
        **MADE,
    }


def test_what_is_given_is_changed_and_the_rest_stays(window: str) -> None:
    call("UpdateMaintenanceWindow", WindowId=window, Enabled=False, Duration=4)
    shown = call("GetMaintenanceWindow", WindowId=window)
    assert (shown["Enabled"], shown["Duration"], shown["Cutoff"]) == (False, 4, 1)


def test_what_is_replaced_loses_what_is_not_given(window: str) -> None:
    given = {key: MADE[key] for key in ("Schedule", "Duration", "Cutoff")}
    call("UpdateMaintenanceWindow", WindowId=window, Replace=True, **given)
    assert "ScheduleTimezone" not in call("GetMaintenanceWindow", WindowId=window)


def test_its_parts_are_found_and_changed(window: str, parts: tuple[str, str]) -> None:
    target, task = parts
    by_id = [{"Key": "WindowTargetId", "Values": [target]}]
    (found,) = call("DescribeMaintenanceWindowTargets", WindowId=window, Filters=by_id)["Targets"]
    assert (found["Targets"], found["ResourceType"]) == (TAGGED, "INSTANCE")
    other = [{"Key": "WindowTargetId", "Values": ["other"]}]
    assert call("DescribeMaintenanceWindowTargets", WindowId=window, Filters=other) == {
        "Targets": []
    }
    ids = {"WindowId": window, "WindowTaskId": task}
    call("UpdateMaintenanceWindowTask", **ids, MaxErrors="2")
    shown = call("GetMaintenanceWindowTask", **ids)
    assert (shown["MaxErrors"], shown["MaxConcurrency"], shown["TaskType"]) == (
        "2",
        "1",
        "RUN_COMMAND",
    )


@pytest.mark.parametrize(
    ("action", "given"),
    [
        ("GetMaintenanceWindow", {"WindowId": "mw-1"}),
        ("GetMaintenanceWindowTask", {"WindowId": "mw-1", "WindowTaskId": "1"}),
    ],
)
def test_what_is_not_there_is_said(window: str, action: str, given: dict[str, str]) -> None:
    with pytest.raises(ApiError) as refused:
        call(action, **given)
    assert refused.value.code == "DoesNotExistException"
