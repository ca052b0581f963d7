"""The workload's tasks run and stay up."""

import time

from ecs_checks import (  # noqa: F401 (pytest finds checks and fixtures by their names)
    service,
    test_all_wanted_tasks_run,
    test_every_target_is_healthy,
    test_no_alarm_of_the_runbook_is_red,
    test_one_deployment_serves_alone,
    test_users_are_answered,
    url,
    workload,
)

STAYS_SECONDS = 5


def test_the_tasks_stay_up(aws, facts, workload):  # noqa: F811
    ecs = aws("ecs")
    named = {
        "cluster": facts["outputs"]["platform"]["cluster_name"],
        "serviceName": workload["service_name"],
        "desiredStatus": "RUNNING",
    }
    before = sorted(ecs.list_tasks(**named)["taskArns"])
    time.sleep(STAYS_SECONDS)
    assert sorted(ecs.list_tasks(**named)["taskArns"]) == before
