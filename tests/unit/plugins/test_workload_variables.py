"""Other variables for a running revision: all else stays, and the way back is written first."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.drydock.ops.plugins.module_utils.ecs import DeploymentFailed
from ansible_collections.drydock.ops.plugins.module_utils.journal import Journal, JournalRefused
from ansible_collections.drydock.ops.plugins.module_utils.runs import Run
from ansible_collections.drydock.ops.plugins.modules import workload_variables

REGION = "us-east-1"


@pytest.fixture
def want(aws: Any, table: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A service whose first revision has variables, a secret and a tag."""
    ecs = aws("ecs")
    ecs.create_cluster(clusterName="c")
    revision = ecs.register_task_definition(
        family="drydock-test-api",
        containerDefinitions=[
            {
                "name": "api",
                "image": "registry/api:1",
                "memory": 512,
                "environment": [
                    {"name": "DATABASE_HOST", "value": "db"},
                    {"name": "LOG_LEVEL", "value": "info"},
                ],
                "secrets": [{"name": "DATABASE_PASSWORD", "valueFrom": "arn:secret"}],
            }
        ],
        tags=[{"key": "Service", "value": "api"}],
    )["taskDefinition"]["taskDefinitionArn"]
    ecs.create_service(cluster="c", serviceName="api", taskDefinition=revision, desiredCount=1)
    # Nothing starts tasks here: the deployment is as good as complete.
    monkeypatch.setattr(
        workload_variables,
        "observe",
        lambda service, deployment, wait: {"finished": True, "deployment": deployment},
    )
    Journal(*table, "test", Run.current()).open("db-connections-exhausted")
    return {
        "cluster": "c",
        "service": "api",
        "container": "api",
        "variables": {"DATABASE_HOST": "proxy"},
        "restart": False,
        "environment": "test",
        "lock_table": "locks",
        "wait_timeout": 5,
        "region": REGION,
    }


def running(aws: Any) -> dict[str, Any]:
    ecs = aws("ecs")
    arn = ecs.describe_services(cluster="c", services=["api"])["services"][0]["taskDefinition"]
    return ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])


def steps(table: Any) -> list[dict[str, Any]]:
    return Journal(*table, "test", Run.current()).read()["steps"]


def test_a_variable_changes_and_all_else_stays(aws: Any, table: Any, want: dict[str, Any]):
    result = workload_variables.roll_out(want, check_mode=False)
    now = running(aws)
    [container] = now["taskDefinition"]["containerDefinitions"]
    assert container["environment"] == [
        {"name": "DATABASE_HOST", "value": "proxy"},
        {"name": "LOG_LEVEL", "value": "info"},
    ]
    assert container["secrets"] == [{"name": "DATABASE_PASSWORD", "valueFrom": "arn:secret"}]
    assert (container["image"], now["tags"]) == (
        "registry/api:1",
        [{"key": "Service", "value": "api"}],
    )
    assert result["changed"] and result["revision"] == "drydock-test-api:2"
    assert result["runbook_evidence"]["actions"][0]["target"] == "api"


def test_the_way_back_is_in_the_journal_and_works(aws: Any, table: Any, want: dict[str, Any]):
    workload_variables.roll_out(want, check_mode=False)
    [step] = steps(table)
    assert step["state"] == "done" and step["calls"][0]["operation"] == "UpdateService"
    Journal(*table, "test", Run.current()).undo()
    assert running(aws)["taskDefinition"]["revision"] == 1


def test_what_it_has_already_is_left_alone(aws: Any, table: Any, want: dict[str, Any]):
    workload_variables.roll_out(want, check_mode=False)
    assert workload_variables.roll_out(want, check_mode=False)["changed"] is False
    assert len(steps(table)) == 1 and running(aws)["taskDefinition"]["revision"] == 2


def test_check_shows_the_difference_and_changes_nothing(aws: Any, table: Any, want: dict[str, Any]):
    result = workload_variables.roll_out(want, check_mode=True)
    assert (result["diff"]["before"], result["diff"]["after"]) == (
        "DATABASE_HOST=db\n",
        "DATABASE_HOST=proxy\n",
    )
    assert result["changed"] and steps(table) == []
    assert running(aws)["taskDefinition"]["revision"] == 1


def test_a_restart_keeps_the_revision_and_has_no_undo(aws: Any, table: Any, want: dict[str, Any]):
    result = workload_variables.roll_out({**want, "variables": {}, "restart": True}, False)
    assert result["changed"] and running(aws)["taskDefinition"]["revision"] == 1
    [step] = steps(table)
    assert (step["state"], step["calls"]) == ("kept", [])


def test_a_variable_that_is_a_secret_is_refused(aws: Any, want: dict[str, Any]):
    with pytest.raises(DeploymentFailed, match="filled from a secret"):
        workload_variables.roll_out({**want, "variables": {"DATABASE_PASSWORD": "x"}}, False)
    assert running(aws)["taskDefinition"]["revision"] == 1


def test_outside_of_a_runbook_nothing_is_changed(aws: Any, table: Any, want: dict[str, Any]):
    Journal(*table, "test", Run.current()).clear()
    with pytest.raises(JournalRefused):
        workload_variables.roll_out(want, check_mode=False)
    assert running(aws)["taskDefinition"]["revision"] == 1
