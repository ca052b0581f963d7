"""No dead letter is left, and the consumer goes on."""

from ecs_checks import (  # noqa: F401 (pytest finds checks and fixtures by their names)
    service,
    test_all_wanted_tasks_run,
    test_every_task_without_clients_is_healthy,
    test_no_alarm_of_the_runbook_is_red,
    workload,
)
from event_checks import (  # noqa: F401 (by their names)
    test_every_shard_has_an_owner_that_shows_life,
    test_no_letter_waits,
)
