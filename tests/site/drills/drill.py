"""A drill: break the platform for real, leave it red, then let the runbook make it green.

Times in seconds of this machine; the embedded cloud's clock of alarms runs faster than AWS's
(drydock/settings.py, time_scale).
"""

# ruff: noqa: S101 (a drill says by an assert what is wrong, as a test does)

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from drydock.settings import PROJECT
from tests.platform.conftest import wait_for
from tests.site.site import Run, Site, evidence, play

# A part has to be broken before its metric tells, and the alarm wants several periods of it.
RED_SECONDS = 90
GREEN_SECONDS = 180
_LEFT_RED: set[tuple[str, str]] = set()  # runbook and alarm that was seen to stay red without it


@dataclass(frozen=True)
class Platform(Site):
    """The site, with what a drill does to it and sees of it."""

    environment = "local"

    def alarm_name(self, name: str) -> str:
        """``trading_api-5xx`` as the account knows it."""
        return f"drydock-{self.environment}-{name}"

    def alarm(self, name: str) -> str:
        """State of an alarm, composite ones too: OK, ALARM or INSUFFICIENT_DATA."""
        found = self.cloud.client("cloudwatch").describe_alarms(
            AlarmNames=[self.alarm_name(name)], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        )
        (one,) = found["MetricAlarms"] + found["CompositeAlarms"]
        return one["StateValue"]

    def red(self) -> list[str]:
        """Names of this environment's alarms that are in ALARM."""
        pages = self.cloud.client("cloudwatch").get_paginator("describe_alarms")
        found = pages.paginate(
            AlarmNamePrefix=self.alarm_name(""),
            AlarmTypes=["MetricAlarm", "CompositeAlarm"],
            StateValue="ALARM",
        )
        return sorted(
            alarm["AlarmName"]
            for page in found
            for alarm in page["MetricAlarms"] + page["CompositeAlarms"]
        )

    def wait_until_green(self) -> None:
        """Waits until no alarm of the environment is red; fails naming those that stay."""
        end = time.monotonic() + GREEN_SECONDS
        while red := self.red():
            if time.monotonic() > end:
                pytest.fail(f"before the drill still red: {', '.join(red)}")
            time.sleep(0.5)

    def fault(self, *words: str) -> str:
        """``python -m drydock fault …``; returns what it said."""
        done = subprocess.run(
            [sys.executable, "-m", "drydock", "fault", *words],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=120,
        )
        said = done.stdout + done.stderr
        print(f"fault {' '.join(words)}: {said.strip()}", flush=True)
        assert done.returncode == 0, said
        return said

    def mend(self) -> None:
        """Undoes every fault that is still in place."""
        self.fault("undo", "--all")

    def evidence(self, runbook: str) -> dict:
        """The newest evidence record of a runbook."""
        return evidence(self.cloud.settings.home, runbook)


@dataclass
class Rehearsal:
    """What one drill measured.

    Attributes:
        red_after: from the fault to the alarm.
        red_without: how long the alarm was red before the runbook was started.
        recovery: from the runbook's start to the alarm's OK.
        check, run, again: the three runs.
        record: evidence of the run that mended.
    """

    red_after: float
    red_without: float
    recovery: float
    check: Run
    run: Run
    again: Run
    record: dict


def rehearse(
    platform: Platform,
    runbook: str,
    *arguments: str,
    alarm: str,
    inject: Callable[[], object],
    says: tuple[str, ...],
    mending: float,
    shows: tuple[str, ...] = (),
    meanwhile: Callable[[], object] = lambda: None,
) -> Rehearsal:
    """Fault → red, and stays so → ``--check`` changes nothing → runbook → green → nothing to do.

    That it stays red is waited for once for each runbook and alarm, in the first drill.

    Args:
        runbook: its name, without folder and suffix.
        alarm: such as ``trading_api-5xx``.
        inject: breaks something; it is asked to stay broken.
        says: words that the decision must hold, of the rehearsal and of the run.
        shows: words that the rehearsal must show besides, as those of the difference.
        mending: seconds that a run may take beyond its rehearsal until the alarm is green. The
            alarm is left red for twice the sum, so that a busy machine gets longer for both; it
            must turn out to be at least twice the recovery time, which is known only afterwards.
        meanwhile: what is done while the alarm is red and must not make it green, before the
            rehearsal; its time counts as red.
    """
    path = f"runbooks/{runbook}"
    assert platform.alarm(alarm) != "ALARM", f"{alarm} is red before the fault"
    inject()
    broken = time.monotonic()
    wait_for(lambda: platform.alarm(alarm) == "ALARM", RED_SECONDS, f"{alarm} is red")
    red = time.monotonic()
    print(f"{runbook}: {alarm} red {red - broken:.1f} s after the fault", flush=True)

    meanwhile()
    mark = platform.mark()
    begun = time.monotonic()
    check = play(path, *arguments, "--check")
    first = (runbook, alarm) not in _LEFT_RED
    control = 2 * (time.monotonic() - begun + mending) if first else 0
    _expect(platform, runbook, check, (*says, *shows), "--check")
    assert platform.mutating_since(mark) == [], check.story
    while True:
        assert platform.alarm(alarm) == "ALARM", (
            f"{alarm} went green by itself {time.monotonic() - red:.0f} s after it was red: the "
            "fault does not last, so the drill proves nothing"
        )
        if time.monotonic() - red >= control:
            break
        time.sleep(0.5)

    begun = time.monotonic()
    red_without = begun - red
    run = play(path, *arguments)
    _expect(platform, runbook, run, says, "run")
    wait_for(lambda: platform.alarm(alarm) == "OK", 60, f"{alarm} is green after the run")
    record = platform.evidence(runbook)
    recovery = _recovery(record, time.monotonic() - begun)
    again = play(path, *arguments)
    _expect(platform, runbook, again, (), "second run")
    assert set(again.changed.values()) == {0}, again.story

    print(
        f"{runbook}: red {red_without:.0f} s without it, green {recovery:.1f} s after its start",
        flush=True,
    )
    assert not first or red_without >= 2 * recovery, (
        f"The alarm was left red for {red_without:.0f} s, less than twice the recovery time of "
        f"{recovery:.0f} s: raise this drill's mending"
    )
    _LEFT_RED.add((runbook, alarm))
    return Rehearsal(red - broken, red_without, recovery, check, run, again, record)


def _recovery(record: dict, observed: float) -> float:
    """The recovery time in the evidence; observed from outside it can only be longer."""
    said = float(record["runbook"]["recovery_seconds"])
    assert 0 < said <= observed + 1, (said, observed)
    return said


def _expect(platform: Platform, runbook: str, run: Run, says: tuple[str, ...], what: str) -> None:
    assert run.code == 0, f"{what} ended with {run.code}:\n{run.story}"
    for words in says:
        if words not in run.output:
            decision = platform.evidence(runbook)["runbook"].get("decision")
            pytest.fail(f"{what} does not say {words!r}; it decided {decision}\n{run.story}")


def left_alone(platform: Platform, mark: int) -> None:
    """Fails where a run since the mark changed more than the lock, its journal and the notices."""
    changed = [call for call in platform.changes_since(mark) if not call.startswith("sns:")]
    assert changed == []


def no_secret(platform: Platform, secret: str, *runs: Run) -> None:
    """Fails where a secret turns up in an output, an evidence record or a report."""
    for run in runs:
        assert secret not in run.output
    for path in (platform.cloud.settings.home / "evidence").rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path
