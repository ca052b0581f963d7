"""The events are read again: every shard by a task that shows life, and none of them waits."""

from ecs_checks import (  # noqa: F401 (pytest finds checks and fixtures by their names)
    service,
    test_all_wanted_tasks_run,
    test_every_task_without_clients_is_healthy,
    test_no_alarm_of_the_runbook_is_red,
    test_one_deployment_serves_alone,
    workload,
)
from event_checks import test_every_shard_has_an_owner_that_shows_life  # noqa: F401 (by its name)
