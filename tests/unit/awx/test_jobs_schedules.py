"""Schedules keep their wall clocks over a year, and timers keep the same times as AWX."""

import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import jobs_definitions as definitions
import jobs_schedules as schedules
import jobs_timers
import pytest
from dateutil import tz
from dateutil.rrule import rrulestr

from .conftest import PROJECT

ZONES = ("America/New_York", "Europe/Berlin")
RULES = (
    "FREQ=DAILY;INTERVAL=1",
    "FREQ=DAILY;INTERVAL=1;BYHOUR=4,18;BYMINUTE=15,45",
    "FREQ=WEEKLY;INTERVAL=1;BYDAY=MO,WE,FR",
    "FREQ=WEEKLY;INTERVAL=1",
    "FREQ=MONTHLY;INTERVAL=1;BYMONTHDAY=10",
    "FREQ=MONTHLY;INTERVAL=1",
)
SYSTEMD = shutil.which("systemd-analyze")


def text(zone: str, rule: str) -> str:
    return f"DTSTART;TZID={zone}:20260107T063000 RRULE:{rule}"


def by_awx(written: str) -> list[datetime]:
    """A year's times as AWX finds them: python-dateutil, with the zone in DTSTART."""
    parsed = rrulestr(written, tzids=tz.gettz)
    first = parsed[0]
    return list(parsed.between(first, first + timedelta(days=365), inc=True))


def by_grammar(calendar: str, after: datetime, before: datetime) -> list[datetime]:
    """A timer's times by reading its OnCalendar, for machines without systemd too."""
    found = re.fullmatch(
        r"(?:([A-Z][a-z,A-Z]+) )?\*-\*-(\*|\d\d) ([\d,]+):([\d,]+):(\d\d) (\S+)", calendar
    )
    assert found, calendar
    week, date, hours, minutes, second, zone = found.groups()
    times = []
    day = after
    while day <= before:
        if (not week or f"{day:%a}" in week.split(",")) and date in ("*", f"{day:%d}"):
            for hour in hours.split(","):
                for minute in minutes.split(","):
                    at = day.replace(hour=int(hour), minute=int(minute), second=int(second))
                    times.append(at.replace(tzinfo=ZoneInfo(zone)))
        day += timedelta(days=1)
    return times


def test_the_project_s_schedules(found: definitions.Definitions) -> None:
    seen = {f"{job.name} {one.name}": one for job in found.jobs.values() for one in job.schedules}
    assert set(seen) == {
        "drift daily", "cost weekly", "estimate monthly", "failover-drill monthly",
        "teardown evening", "wake morning",
    }  # fmt: skip
    assert not seen["failover-drill monthly"].late
    assert seen["failover-drill monthly"].environments == ["staging"]
    for one in seen.values():
        times = by_awx(one.rule.text)
        assert {f"{time:%H:%M}" for time in times} == {f"{one.rule.start:%H:%M}"}
        assert len({time.utcoffset() for time in times}) == 2, "a year has both clocks"


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin"])
def test_a_year_of_nights_keeps_its_clocks(
    zone: str, found: definitions.Definitions, tmp_path: Path
) -> None:
    """18:00 and 08:00 on each working day of a year with both changes, in all executors alike."""
    nights = []
    for job, clock in (("teardown", "18:00"), ("wake", "08:00")):
        (own,) = found.jobs[job].schedules
        assert own.environments == ["dev"] and own.rule.zone == "Europe/Berlin"
        rule = schedules.parse(own.rule.text.replace(own.rule.zone, zone))
        times = by_awx(rule.text)
        assert {f"{time:%H:%M}" for time in times} == {clock}
        assert {time.weekday() for time in times} == {0, 1, 2, 3, 4}
        assert len({time.utcoffset() for time in times}) == 2, "a year has both clocks"
        begin = times[0].replace(tzinfo=None)
        named = by_grammar(schedules.on_calendar(rule), begin, begin + timedelta(days=366))
        wanted = [time.timestamp() for time in times]
        assert [time.timestamp() for time in named if time.timestamp() <= wanted[-1]] == wanted
        nights.append(times)
    lengths = {
        (min(wake.timestamp() for wake in nights[1] if wake > sleep) - sleep.timestamp()) / 3600
        for sleep in nights[0][:-1]
    }
    # Working nights, weekends, and the two weekends on which clocks change.
    assert lengths == {14, 62, 61, 63}


def test_a_schedule_that_may_not_be_late_says_when_it_was_meant(
    found: definitions.Definitions,
) -> None:
    assert found.jobs["teardown"].schedules[0].values == {
        "check": False, "intended": "18:00 Europe/Berlin",
    }  # fmt: skip
    assert found.jobs["wake"].schedules[0].values == {"check": False}


@pytest.mark.parametrize(
    ("values", "rrule", "words"),
    [
        ({"intended": "19:00 Europe/Berlin"}, "", "intended follows from rrule and late"),
        ({}, ";BYHOUR=18,20", "has several times of day"),
    ],
)
def test_when_it_was_meant_has_one_source(values: dict, rrule: str, words: str) -> None:
    job = definitions.load().jobs["teardown"]
    problems: list[str] = []
    text = "DTSTART;TZID=Europe/Berlin:20260105T180000 RRULE:FREQ=DAILY;INTERVAL=1" + rrule
    made = {"name": "n", "environments": ["dev"], "late": "skip", "rrule": text, "values": values}
    assert definitions._schedule(job, made, problems) is None
    assert words in " ".join(problems)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("rule", RULES)
def test_timers_and_awx_keep_the_same_times(zone: str, rule: str) -> None:
    parsed = schedules.parse(text(zone, rule))
    times = by_awx(parsed.text)
    begin = times[0].replace(tzinfo=None)
    end = begin + timedelta(days=365)
    assert len({time.utcoffset() for time in times}) == 2
    assert [time.timestamp() for time in times] == [
        time.timestamp() for time in schedules.occurrences(parsed, begin, end)
    ]
    midnight = begin.replace(hour=0, minute=0)
    named = by_grammar(schedules.on_calendar(parsed), midnight, end)
    wanted = {time.timestamp() for time in times}
    first, last = min(wanted), max(wanted)
    assert sorted(
        time.timestamp() for time in named if first <= time.timestamp() <= last
    ) == sorted(wanted)


@pytest.mark.skipif(not SYSTEMD, reason="no systemd-analyze here: the grammar above is the proof")
@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("rule", RULES)
def test_systemd_names_these_times(zone: str, rule: str) -> None:
    parsed = schedules.parse(text(zone, rule))
    begin = datetime(2026, 2, 28, 0, 0, tzinfo=ZoneInfo(zone))
    answer = subprocess.run(
        [
            str(SYSTEMD),
            "calendar",
            "--iterations=40",
            f"--base-time={begin.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
            schedules.on_calendar(parsed),
        ],
        env={"TZ": "UTC", "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    named = re.findall(r"(?:elapse|#\d+): \w{3} ([\d-]+ [\d:]+) UTC", answer)
    assert len(named) == 40
    after = begin.replace(tzinfo=None)
    times = schedules.occurrences(parsed, after, after + timedelta(days=366 * 4))[:40]
    assert named == [f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}" for time in times]


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("every day", "is not DTSTART;TZID=Area/City"),
        ("DTSTART:20260107T063000Z RRULE:FREQ=DAILY;INTERVAL=1", "is not DTSTART;TZID="),
        (text("Europe/Atlantis", RULES[0]), "Europe/Atlantis is no time zone"),
        (text("../../etc/passwd", RULES[0]), "is no time zone"),
        (text(ZONES[0], "FREQ=DAILY"), "INTERVAL=None: AWX wants one"),
        (text(ZONES[0], "FREQ=DAILY;INTERVAL=2"), "OnCalendar knows only 1"),
        (text(ZONES[0], "FREQ=HOURLY;INTERVAL=1"), "FREQ=HOURLY is none of DAILY"),
        (text(ZONES[0], "FREQ=DAILY;INTERVAL=1;COUNT=3"), "COUNT can't be said with OnCalendar"),
        (text(ZONES[0], "FREQ=DAILY;INTERVAL=1;UNTIL=20270101T000000Z"), "UNTIL can't be said"),
        (text(ZONES[0], "FREQ=MONTHLY;INTERVAL=1;BYDAY=1MO"), "BYDAY can't be said"),
        (text(ZONES[0], "FREQ=WEEKLY;INTERVAL=1;BYDAY=1MO"), "BYDAY has 1MO: use MO"),
        (text(ZONES[0], "FREQ=MONTHLY;INTERVAL=1;BYMONTHDAY=31"), "BYMONTHDAY has 31, not 1 to"),
        (text(ZONES[0], "FREQ=MONTHLY;INTERVAL=1;BYMONTHDAY=1,2"), "make a schedule of each"),
        (text(ZONES[0], "FREQ=DAILY;INTERVAL=1;BYHOUR=2"), "02:30 is skipped or comes twice on"),
        (text(ZONES[0], "FREQ=DAILY;INTERVAL=1;BYHOUR=1"), "01:30 is skipped or comes twice on"),
        (text(ZONES[0], "FREQ=DAILY;INTERVAL=1").replace("0107", "1399"), "no date and time"),
    ],
)
def test_what_can_t_be_kept_by_both_is_refused(written: str, words: str) -> None:
    with pytest.raises(schedules.BadSchedule, match=re.escape(words)):
        schedules.parse(written)


def test_units(found: definitions.Definitions, tmp_path: Path) -> None:
    (tmp_path / "drydock-staging-gone-daily.timer").write_text("")
    said = jobs_timers.write(PROJECT, found, "staging", tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    jobs = ("drift-daily", "cost-weekly", "estimate-monthly", "failover-drill-monthly")
    assert names == {
        f"drydock-staging-{one}.{kind}" for one in jobs for kind in ("service", "timer")
    }
    assert "systemctl enable --now" in said[-1]
    drill = (tmp_path / "drydock-staging-failover-drill-monthly.timer").read_text()
    assert "OnCalendar=*-*-10 10:15:00 Europe/Berlin\n" in drill
    assert "Persistent=false\n" in drill
    drift = (tmp_path / "drydock-staging-drift-daily.timer").read_text()
    assert "OnCalendar=*-*-* 06:30:00 America/New_York\n" in drift
    assert "Persistent=true\n" in drift
    service = (tmp_path / "drydock-staging-failover-drill-monthly.service").read_text()
    assert "jobs.py run failover-drill staging target=both check=no\n" in service
    assert "TimeoutStartSec=65min\n" in service


@pytest.mark.skipif(not SYSTEMD, reason="no systemd-analyze here")
def test_systemd_takes_the_units(found: definitions.Definitions, tmp_path: Path) -> None:
    jobs_timers.write(PROJECT, found, "staging", tmp_path)
    units = sorted(map(str, tmp_path.glob("*.timer")))
    answer = subprocess.run(
        [str(SYSTEMD), "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert "drydock" not in answer.stderr


def test_timers_that_can_t_be(found: definitions.Definitions, tmp_path: Path) -> None:
    for environment, words in (("moon", "moon is none of"), ("local", "No job has a schedule")):
        with pytest.raises(jobs_timers.BadTimer, match=words):
            jobs_timers.write(PROJECT, found, environment, tmp_path)
    job = found.jobs["drift"]
    with pytest.raises(jobs_timers.BadTimer, match="put DTSTART into the past"):
        jobs_timers.units(PROJECT, job, job.schedules[0], "dev", datetime(2025, 1, 1, tzinfo=UTC))
