"""Callback plugin: leave one record of each playbook run."""

from __future__ import annotations

import atexit
import contextlib
import json
import multiprocessing
import os
import re
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible import context
from ansible.plugins.callback import CallbackBase
from ansible.template import Templar
from ansible_collections.drydock.ops.plugins.module_utils import report, sessions
from ansible_collections.drydock.ops.plugins.module_utils.redaction import redact
from ansible_collections.drydock.ops.plugins.module_utils.runs import end_sessions, process_start

DOCUMENTATION = r"""
name: evidence
type: aggregate
short_description: Leave one JSON record of each run
description:
  - Writes C(<drydock home>/evidence/<environment>/<start>-<playbook>-<pid>.json), mode 0600, at
    the start of a run, at each play, and at its end; a run that was killed leaves the outcome
    C(running).
  - The record holds playbook, start, end, counts per host, the names of tasks that changed
    something, the sentences that tasks return as RV(ignore:evidence), and messages of failures.
    Of tasks with no_log it holds the name alone; what looks like a secret is masked.
  - Of a runbook it also holds what tasks return as RV(ignore:runbook_evidence), and a report in
    HTML is written beside it.
  - A runbook that is broken off by Ctrl-C, SIGTERM or SIGHUP gets no rescue from Ansible. Its
    steps are undone here, its lock is given back and people are told, before the process ends.
  - Runs against an unknown environment leave nothing.
options:
  home:
    description: Folder of what the project makes at run time (.drydock beside playbooks/).
    type: path
    env: [{name: DRYDOCK_HOME}]
author: [Drydock]
"""

SCHEMA = 2
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def moment() -> str:
    """Return now in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class CallbackModule(CallbackBase):
    """One instance per run of ansible-playbook."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "drydock.ops.evidence"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.pid = os.getpid()
        self.play: Any = None
        self.stopped_by = 0
        self.workers: list[list[str]] = []
        self.runbooks: list[dict[str, Any]] = []
        self.begun = self.play_begun = time.monotonic()
        self.file: Path | None = None
        self.home: Path | None = None
        self.record: dict[str, Any] = {
            "schema": SCHEMA,
            "playbook": "",
            "environment": "",
            "caller": "",
            "check_mode": bool(context.CLIARGS.get("check")),
            "limit": context.CLIARGS.get("subset") or "",
            "started": moment(),
            "ended": "",
            "seconds": 0.0,
            "outcome": "running",
            "hosts": {},
            "plays": [],
            "changes": [],
            "notes": [],
            "failures": [],
        }

    def v2_playbook_on_start(self, playbook: Any) -> None:
        path = Path(playbook._file_name).resolve()
        self.record["playbook"] = path.name
        home = self.get_option("home")
        self.home = Path(home) if home else path.parent.parent / ".drydock"
        # Of a run that is broken off, nothing else of Ansible's comes to its end.
        atexit.register(self._at_exit)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._end_play()
        self.play = play
        if "runbook_name" in play.vars:
            for number in STOPS:
                signal.signal(number, self._stop)
        self.play_begun = time.monotonic()
        self.record["plays"].append(
            {
                "playbook": Path(play.get_path().rpartition(":")[0]).name,
                "name": play.get_name().strip(),
                "started": moment(),
                "seconds": 0.0,
            }
        )
        if not self.record["environment"]:
            self._find_environment(play)
        self._write()

    def _find_environment(self, play: Any) -> None:
        manager = play.get_variable_manager()
        hosts = manager._inventory.get_hosts(ignore_limits=True, ignore_restrictions=True)
        name = manager.get_vars(play=play, host=hosts[0] if hosts else None).get(
            "environment_name", ""
        )
        if not re.fullmatch(r"[a-z][a-z0-9-]*", str(name)) or self.home is None:
            return
        self.record["environment"] = str(name)
        folder = self.home / "evidence" / str(name)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        start = self.record["started"].replace(":", "").replace("-", "")
        self.file = folder / f"{start}-{Path(self.record['playbook']).stem}-{os.getpid()}.json"

    def v2_runner_on_ok(self, result: Any) -> None:
        self._count(result)
        self._note(result)

    # What an item says is only said here; that it changed or failed is said once, by the task.
    def v2_runner_item_on_ok(self, result: Any) -> None:
        self._note(result)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        self._note(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._count(result)
        self._note(result)
        content = result.result
        message = "(hidden: no_log)" if "censored" in content else str(content.get("msg", ""))
        self.record["failures"].append({**self._place(result), "message": redact(message)})
        self._write()

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self.v2_runner_on_failed(result)

    def _count(self, result: Any) -> None:
        if result.is_changed():
            self.record["changes"].append(self._place(result))

    def _note(self, result: Any) -> None:
        content = result.result
        if content.get("caller"):
            self.record["caller"] = str(content["caller"])
        for text in content.get("evidence") or []:
            self.record["notes"].append({**self._place(result), "text": redact(str(text))})
        if isinstance(content.get("runbook_evidence"), dict):
            self._note_runbook(content["runbook_evidence"])

    def _note_runbook(self, news: dict[str, Any]) -> None:
        """Keep what a task says of the runbook; a host's runbook after another's begins anew."""
        if not self.runbooks or sessions.has_ended(self.runbooks[-1]):
            self.runbooks.append({})
        sessions.merge(self.runbooks[-1], news)
        self._write()

    def _place(self, result: Any) -> dict[str, str]:
        return {
            "at": moment(),
            "host": result.host.get_name(),
            "playbook": self.record["plays"][-1]["playbook"] if self.record["plays"] else "",
            "task": redact(result.task_name),
        }

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._end_play()
        for host in sorted(stats.processed):
            self.record["hosts"][host] = stats.summarize(host)
        bad = any(
            count["failures"] or count["unreachable"] for count in self.record["hosts"].values()
        )
        if self.runbooks and sessions.is_open(self.runbooks[-1]):
            self._end_runbook("failed", "The run ended without its close.")
        self._finish("failed" if bad else "ok")

    def _finish(self, outcome: str) -> None:
        self.record["outcome"] = outcome
        self.record["ended"] = moment()
        self.record["seconds"] = round(time.monotonic() - self.begun, 1)
        self._write()
        where = f" Evidence: {self.file}" if self.file else ""
        if self.file and self.runbooks:
            page = self.file.with_suffix(".html")
            try:
                self._put(page, report.render(self.record))
                where += f" Report: {page}"
            except Exception as error:
                self._display.warning(f"The report could not be made: {error!r}")
        self._say(f"{self.record['playbook']} took {self.record['seconds']} s.{where}")

    def _stop(self, number: int, _frame: Any) -> None:
        """Stop the run at a signal, so that what it began can be undone at its exit.

        Ansible's own handler lets SIGTERM end the process at once, and a second Ctrl-C too.
        """
        if os.getpid() != self.pid:  # a worker that was forked a moment ago
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        for one in STOPS:
            signal.signal(one, self._have_patience)
        self.stopped_by = number
        for worker in multiprocessing.active_children():
            self.workers.append([str(worker.pid), process_start(worker.pid or 0)])
            worker.terminate()
        raise KeyboardInterrupt

    @staticmethod
    def _have_patience(_number: int, _frame: Any) -> None:
        with contextlib.suppress(OSError):
            os.write(2, b"\nWhat was begun is being undone; please wait for its end.\n")

    def _at_exit(self) -> None:
        if os.getpid() != self.pid or self.record["ended"] or not self.record["plays"]:
            return
        # A module that still works could change something after it was undone.
        end_sessions(self.workers)
        self._end_play()
        name = signal.strsignal(self.stopped_by) if self.stopped_by else "no signal that was seen"
        if self.runbooks and sessions.is_open(self.runbooks[-1]):
            self._end_runbook("interrupted", f"The run was broken off ({name}).")
        self._finish("interrupted")

    def _end_runbook(self, outcome: str, reason: str) -> None:
        variables = self._variables()
        os.environ.update(
            {key: str(value) for key, value in variables["operator_environment"].items()}
        )
        self._say(f"{reason} Undoing what was begun.")
        for line in sessions.end(
            self.runbooks[-1], outcome, reason, variables["notification_webhook"]
        ):
            self._say(f"  {redact(line)}")

    def _say(self, text: str) -> None:
        """Show a line; who listened may be gone, and what was begun is undone all the same."""
        with contextlib.suppress(OSError, ValueError):
            self._display.display(text)

    def _variables(self) -> dict[str, Any]:
        """Return what the run's own tasks would be told: AWS's variables, the webhook."""
        manager = self.play.get_variable_manager()
        host = manager._inventory.get_host(self.runbooks[-1]["host"])
        known = manager.get_vars(play=self.play, host=host)
        templar = Templar(loader=self.play._loader, variables=known)
        return {
            "operator_environment": templar.template(known.get("operator_environment") or {}),
            "notification_webhook": templar.template(known.get("notification_webhook") or ""),
        }

    def _end_play(self) -> None:
        if self.record["plays"]:
            self.record["plays"][-1]["seconds"] = round(time.monotonic() - self.play_begun, 1)

    def _write(self) -> None:
        if self.file is None:
            return
        if self.runbooks:
            # The one that acted; those of other hosts, where nothing was to do, beside it.
            main = next((one for one in reversed(self.runbooks) if one.get("proceed")), None)
            self.record["runbook"] = main or self.runbooks[-1]
            self.record["other_runbooks"] = [
                one for one in self.runbooks if one is not self.record["runbook"]
            ]
        self._put(self.file, json.dumps(self.record, indent=1, ensure_ascii=False))

    @staticmethod
    def _put(path: Path, text: str) -> None:
        """Write a file whole, so that a reader never sees half of one."""
        new = path.with_suffix(".new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        new.replace(path)
