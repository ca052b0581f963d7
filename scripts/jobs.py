"""Jobs: checked, run by ansible-runner, made into systemd timers or AWX's objects.

    jobs.py check                            all definitions, or sentences on what is wrong
    jobs.py list                             names, fields and defaults
    jobs.py run NAME ENVIRONMENT [FIELD=VALUE …]
                                             a job or a workflow; exits as it does
    jobs.py timers ENVIRONMENT [--folder PATH]
                                             units of systemd for the schedules
    jobs.py awx                              AWX's objects as JSON (playbooks/awx-apply.yml)

Exit codes of its own: 2 where something was refused before it began, 3 where an approval is due.
"""

import argparse
import json
import sys
from pathlib import Path

import jobs_awx
import jobs_definitions as definitions
import jobs_run
import jobs_timers


def main(arguments: list[str] | None = None, project: Path = definitions.PROJECT) -> int:
    """Runs a command. Returns its exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="check all definitions")
    commands.add_parser("list", help="the jobs and their fields")
    run = commands.add_parser("run", help="run a job or a workflow")
    run.add_argument("name")
    run.add_argument("environment")
    run.add_argument("fields", nargs="*", metavar="FIELD=VALUE")
    timers = commands.add_parser("timers", help="write systemd's units")
    timers.add_argument("environment")
    timers.add_argument("--folder", type=Path, help="where to; by default in .drydock")
    commands.add_parser("awx", help="AWX's objects as JSON")
    options = parser.parse_args(arguments)
    try:
        found = definitions.load(project)
        if options.command == "run":
            return jobs_run.run(project, found, options.name, options.environment, options.fields)
        if options.command == "timers":
            for line in jobs_timers.write(project, found, options.environment, options.folder):
                print(line)
        elif options.command == "awx":
            print(json.dumps(jobs_awx.objects(project, found)))
        elif options.command == "list":
            print("\n".join(listing(found)))
        else:
            print(f"jobs: {len(found.jobs)} jobs and {len(found.workflows)} workflows are sound")
    except definitions.BadDefinitions as error:
        for problem in error.problems:
            print(f"jobs: {problem}", file=sys.stderr)
        return 2
    except (jobs_run.Refused, jobs_timers.BadTimer) as error:
        print(f"jobs: {error}", file=sys.stderr)
        return 2
    return 0


def listing(found: definitions.Definitions) -> list[str]:
    """A line for each job and workflow, and for each field."""
    lines = []
    for job in found.jobs.values():
        approval = f" (approval: {', '.join(job.approval)})" if job.approval else ""
        lines.append(f"{job.name:25}{job.description}{approval}")
        for name, field in job.fields(job.environments[0]).items():
            default = "required" if field.get("required") else field.get("default", "none")
            lines.append(f"    {name}={default}  {' '.join(field['description'].split())}")
    lines += [f"{one.name:25}workflow: {one.description}" for one in found.workflows.values()]
    return lines


if __name__ == "__main__":
    sys.exit(main())
