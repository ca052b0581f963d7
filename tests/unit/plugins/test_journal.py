"""What a runbook begins is written down before, and taken back in reverse order, once."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import Any

import pytest
from ansible_collections.drydock.ops.plugins.module_utils import runs
from ansible_collections.drydock.ops.plugins.module_utils.journal import Journal, JournalRefused
from ansible_collections.drydock.ops.plugins.module_utils.runs import Run

HERE = Run.current()
DEAD = dataclasses.replace(HERE, started="1")


def call(service: str, operation: str, **parameters: Any) -> dict[str, Any]:
    return {
        "service": service,
        "operation": operation,
        "parameters": parameters,
        "region": "us-east-1",
    }


@pytest.fixture
def journal(table: Any) -> Journal:
    journal = Journal(*table, "dev", HERE)
    journal.open("high-5xx")
    return journal


def topics(aws: Any) -> list[str]:
    found = aws("sns").list_topics()["Topics"]
    return [one["TopicArn"].rpartition(":")[2] for one in found]


def test_steps_are_undone_in_reverse_order_and_only_once(journal: Journal, aws: Any) -> None:
    for name in ("one", "two"):
        journal.begin(f"make {name}", [call("sns", "create_topic", Name=name)])
        journal.done(f"make {name}")
    journal.begin("make three", [call("sns", "CreateTopic", Name="three")])
    assert [step["step"] for step in journal.unfinished()] == ["make three", "make two", "make one"]
    report = journal.undo()
    assert [one["step"] for one in report] == ["make three", "make two", "make one"]
    assert all(one["undone"] and one["text"].startswith("Undone: ") for one in report)
    assert sorted(topics(aws)) == ["one", "three", "two"]
    assert journal.unfinished() == []
    assert journal.undo() == []


def test_what_is_whole_in_itself_stays_once_it_is_done(journal: Journal) -> None:
    journal.begin("roll back", [call("sns", "create_topic", Name="bad")], keep=True)
    assert journal.unfinished()
    journal.done("roll back")
    assert journal.unfinished() == []


def test_what_cannot_be_undone_is_said_and_keeps_nobody_else(journal: Journal, aws: Any) -> None:
    journal.begin("first", [call("sns", "create_topic", Name="first")])
    journal.begin("end sessions", None)
    journal.begin("refused", [call("sns", "delete_topic", TopicArn="no-arn")])
    refused, ended, first = journal.undo()
    assert ended == {
        "at": ended["at"],
        "step": "end sessions",
        "undone": False,
        "text": ended["text"],
    }
    assert ended["text"].startswith("Can't be undone: end sessions")
    assert not refused["undone"]
    assert "NOT undone" in refused["text"]
    assert "sns delete_topic" in refused["text"]
    assert first["undone"]
    assert [step["step"] for step in journal.unfinished()] == ["refused", "end sessions"]


def test_the_next_run_undoes_what_a_dead_one_left(table: Any, aws: Any) -> None:
    dead = Journal(*table, "dev", DEAD)
    dead.open("high-5xx")
    dead.begin("make it", [call("sns", "create_topic", Name="left")])
    mine = Journal(*table, "dev", HERE)
    assert mine.read()["run"] == DEAD
    assert [one["undone"] for one in mine.undo()] == [True]
    mine.clear()
    assert mine.read() == {}
    mine.open("high-5xx")
    # The dead was not dead, only late: it may do nothing any more.
    with pytest.raises(JournalRefused, match="holds no open runbook"):
        dead.begin("one more", None)
    assert mine.read()["steps"] == []


def test_without_an_open_runbook_no_step_is_begun(table: Any) -> None:
    with pytest.raises(JournalRefused, match="none is open"):
        Journal(*table, "dev", HERE).begin("anything", None)


def test_a_step_that_was_not_begun_is_not_done(journal: Journal) -> None:
    with pytest.raises(JournalRefused, match="begin it first"):
        journal.done("never")


def test_what_lives_in_a_dead_runs_session_is_ended() -> None:
    code = "import subprocess, sys; subprocess.Popen(['sleep', '60']).wait()"
    leader = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    try:
        session = [str(leader.pid), runs.process_start(leader.pid)]
        while len(runs.session_members([session])) < 2:
            assert leader.poll() is None
        assert runs.session_members([[session[0], "1"]]) == []  # the number given anew
        assert len(runs.end_sessions([session])) == 2
        assert runs.session_members([session]) == []
    finally:
        leader.kill()
        leader.wait()
