"""systemd's units for the schedules of an environment, for teams without AWX."""

import os
import shlex
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from jobs_definitions import Definitions, Job, Schedule
from jobs_schedules import on_calendar


class BadTimer(Exception):
    """A schedule that no timer can keep, or an environment that has none."""


def units(
    project: Path, job: Job, schedule: Schedule, environment: str, now: datetime
) -> dict[str, str]:
    """File name → content of a schedule's service and timer.

    Raises:
        BadTimer: it begins in the future, which OnCalendar can't say.
    """
    zone = ZoneInfo(schedule.rule.zone)
    if schedule.rule.start.replace(tzinfo=zone) > now:
        raise BadTimer(
            f"Schedule {schedule.name} of job {job.name} begins at {schedule.rule.start}, and a "
            "timer begins at once: put DTSTART into the past."
        )
    name = f"drydock-{environment}-{job.name}-{schedule.name}"
    fields = [f"{key}={_word(value)}" for key, value in schedule.values.items()]
    python = project / ".venv/bin/python"
    command = [str(python), str(project / "scripts/jobs.py"), "run", job.name, environment, *fields]
    what = f"Drydock: {job.name} on {environment}, {schedule.name}"
    service = f"""\
# Written by scripts/jobs.py timers from jobs/; change that, then `make timers`.
[Unit]
Description={what}
Documentation=file:{_unit(str(project))}/README.md
After=network-online.target
Wants=network-online.target

[Service]
Type=oneshot
WorkingDirectory={_unit(str(project))}
# Credentials and DRYDOCK_WEBHOOK, readable by root only; there may be none.
EnvironmentFile=-/etc/drydock/{environment}.env
ExecStart={" ".join(_unit(shlex.quote(one)) for one in command)}
# The job ends itself after {job.timeout_minutes} minutes; what it began is undone in these.
TimeoutStartSec={job.timeout_minutes + 5}min
"""
    timer = f"""\
# Written by scripts/jobs.py timers from jobs/; change that, then `make timers`.
[Unit]
Description={what}

[Timer]
OnCalendar={on_calendar(schedule.rule)}
# {"A time that was missed is made up for." if schedule.late else "Late is worse than not at all."}
Persistent={"true" if schedule.late else "false"}
AccuracySec=1min

[Install]
WantedBy=timers.target
"""
    return {f"{name}.service": service, f"{name}.timer": timer}


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(value) if isinstance(value, list) else str(value)


def _unit(text: str) -> str:
    """Text of a unit file in which nothing is expanded."""
    return text.replace("%", "%%").replace("$", "$$")


def write(
    project: Path, found: Definitions, environment: str, folder: Path | None = None
) -> list[str]:
    """Writes the units, and takes away those of schedules that are gone. Returns what to say.

    Raises:
        BadTimer: the environment is unknown, has no schedule, or one can't be kept.
    """
    if environment not in found.environments:
        raise BadTimer(f"{environment} is none of {', '.join(found.environments)}.")
    home = Path(os.environ.get("DRYDOCK_HOME") or project / ".drydock")
    folder = folder or home / "timers" / environment
    wanted: dict[str, str] = {}
    for job in found.jobs.values():
        for schedule in job.schedules:
            if environment in schedule.environments:
                wanted |= units(project, job, schedule, environment, datetime.now(UTC))
    if not wanted:
        raise BadTimer(f"No job has a schedule on {environment}.")
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"drydock-{environment}-*"):
        if old.name not in wanted:
            old.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text)
    timers = [name for name in wanted if name.endswith(".timer")]
    return [
        *(f"{folder / name}" for name in wanted),
        "To have them run, as root:",
        f"  systemctl link {shlex.quote(str(folder))}/drydock-{environment}-*.service",
        f"  systemctl enable --now {' '.join(shlex.quote(str(folder / one)) for one in timers)}",
    ]
