"""Callback plugin: leave one record of each playbook run."""

from __future__ import annotations

import json
import os
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible import context
from ansible.plugins.callback import CallbackBase

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
  - Runs against an unknown environment leave nothing.
options:
  home:
    description: Folder of what the project makes at run time (.drydock beside playbooks/).
    type: path
    env: [{name: DRYDOCK_HOME}]
author: [Drydock]
"""

SCHEMA = 1
MAX_MESSAGE = 4000
MASK = "(redacted)"
SECRETS = (
    (
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", re.S
        ),
        MASK,
    ),
    (re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b"), MASK),
    (re.compile(r"(://[^:/@\s]+:)[^@/\s]+(@)"), rf"\1{MASK}\2"),
    (
        re.compile(
            r"((?:password|passwd|secret(?:_?access)?_?key|secret_?string|token|authorization)[\"']?\s*[:=]\s*)"
            r"(\"[^\"]*\"|'[^']*'|[^\s,;}\"']+)",
            re.I,
        ),
        rf"\1{MASK}",
    ),
)


def redact(text: str) -> str:
    """Return the text with what looks like a secret masked, cut to a readable length."""
    for pattern, instead in SECRETS:
        text = pattern.sub(instead, text)
    return text if len(text) <= MAX_MESSAGE else f"{text[:MAX_MESSAGE]}…"


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

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._end_play()
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
        self._note(result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        if not result.is_changed():
            self._note(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._note(result)
        content = result.result
        message = "(hidden: no_log)" if "censored" in content else str(content.get("msg", ""))
        self.record["failures"].append({**self._place(result), "message": redact(message)})
        self._write()

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self.v2_runner_on_failed(result)

    def _note(self, result: Any) -> None:
        content = result.result
        if result.is_changed():
            self.record["changes"].append(self._place(result))
        if content.get("caller"):
            self.record["caller"] = str(content["caller"])
        for text in content.get("evidence") or []:
            self.record["notes"].append({**self._place(result), "text": redact(str(text))})

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
        self.record["outcome"] = "failed" if bad else "ok"
        self.record["ended"] = moment()
        self.record["seconds"] = round(time.monotonic() - self.begun, 1)
        self._write()
        where = f" Evidence: {self.file}" if self.file else ""
        self._display.display(f"{self.record['playbook']} took {self.record['seconds']} s.{where}")

    def _end_play(self) -> None:
        if self.record["plays"]:
            self.record["plays"][-1]["seconds"] = round(time.monotonic() - self.play_begun, 1)

    def _write(self) -> None:
        """Write the record whole, so that a reader never sees half of one."""
        if self.file is None:
            return
        new = self.file.with_suffix(".new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(self.record, file, indent=1, ensure_ascii=False)
        new.replace(self.file)
