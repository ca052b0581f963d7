"""consumer-lag: every consumer is cut off, lives on, and reads nothing.

ECS replaces none of them, since a container's own health check runs inside of it. A new task has a
network of its own: what was published meanwhile is applied once the runbook has replaced them.
"""

import pytest

from tests.platform.conftest import wait_for
from tests.site.site import play

from .drill import Platform, left_alone, rehearse
from .events import Events

RUNBOOK = "consumer-lag"
ALARM = "consumer-behind"


@pytest.fixture
def events(platform: Platform) -> Events:
    """Of a consumer that applies them."""
    one = Events(platform)
    one.publish(5)
    wait_for(lambda: one.applied() == 5, 60, "events are applied")
    return one


def test_consumers_that_do_no_work_are_replaced(platform: Platform, events: Events) -> None:
    before = {task["id"] for task in platform.tasks("consumer")}

    def cut_off() -> None:
        platform.fault("partition", "consumer", "--all")
        events.publish(20)

    done = rehearse(
        platform,
        RUNBOOK,
        alarm=ALARM,
        inject=cut_off,
        says=("2 of 2 tasks run and do no work", "another takes its place"),
        mending=30,
    )
    assert before.isdisjoint(task["id"] for task in platform.tasks("consumer"))
    wait_for(lambda: events.applied() == events.published, 30, "all is applied, and once")
    actions = [one["what"] for one in done.record["runbook"]["actions"]]
    assert sum("stop task" in one for one in actions) == 2


def test_a_database_that_takes_nothing_is_handed_over(platform: Platform, events: Events) -> None:
    """Where every task fails at it, the runbook says who can mend it, and touches nothing."""
    platform.fault("partition", "consumer", "--all", "--from", "database")
    events.publish(5)
    wait_for(lambda: platform.alarm(ALARM) == "ALARM", 90, "events wait")
    mark = platform.mark()
    done = play(f"runbooks/{RUNBOOK}")
    assert done.code != 0
    assert "the database does not take the events" in done.output, done.story
    left_alone(platform, mark)
    platform.mend()
    wait_for(lambda: platform.alarm(ALARM) == "OK", 90, "it goes on by itself")
    wait_for(lambda: events.applied() == events.published, 30, "all is applied, and once")
