"""The workload serves again: users are answered, every task is healthy, the alarms are green."""

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
