"""dlq-redrive: a release does not know slots any more, so that every one is refused.

While that release runs the runbook refuses too: the letters would only come back. Taking the
release back makes nothing green, since what was refused stays refused; redriving does.
"""

import pytest

from tests.platform.conftest import wait_for
from tests.site.site import play

from .drill import Platform, left_alone, rehearse
from .events import Events

RUNBOOK = "dlq-redrive"
ALARM = "consumer-dead-letters"
LETTERS = 25


@pytest.fixture
def events(platform: Platform) -> Events:
    return Events(platform)


def test_letters_are_redriven_once_the_cause_is_mended(platform: Platform, events: Events) -> None:
    def poison() -> None:
        platform.fault("deploy", "consumer", "--set", "EVENT_TYPES=logs")
        wait_for(lambda: len(platform.service("consumer")["deployments"]) == 1, 90, "it is out")
        events.publish(LETTERS)

    def mend() -> None:
        mark = platform.mark()
        refused = play(f"runbooks/{RUNBOOK}")
        assert refused.code != 0
        assert "does not apply 'slot' (EVENT_TYPES is logs)" in refused.output, refused.story
        left_alone(platform, mark)
        assert events.letters() >= LETTERS
        platform.mend()
        wait_for(lambda: len(platform.service("consumer")["deployments"]) == 1, 90, "it is back")
        assert events.applied() == 0

    done = rehearse(
        platform,
        RUNBOOK,
        alarm=ALARM,
        inject=poison,
        meanwhile=mend,
        says=("letters wait whose cause may be mended", "unknown type 'slot'"),
        shows=("try one letter of each reason",),
        mending=20,
    )
    assert events.letters() == 0
    assert events.applied() == LETTERS
    (action,) = [
        one["what"] for one in done.record["runbook"]["actions"] if "letters applied" in one["what"]
    ]
    assert int(action.split()[0]) >= LETTERS
