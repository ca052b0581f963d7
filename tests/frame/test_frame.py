"""The frame of the runbooks, on a switch: it acts on red alone, and leaves nothing half done."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.runner import run_by_runner

from .conftest import HOOK, HOST, TOKEN, Frame, finish, secrets_in, wait_until_hanging

# As in the environments where somebody has to say that they mean this one.
ASKED = ("-e", '{"confirm_runbooks": true}')


def test_green_there_is_nothing_to_do(frame: Frame) -> None:
    mark = frame.mark()
    run = frame.run()
    assert run.code == 0, run.output
    assert "nothing to do: no alarm is red" in run.output
    assert run.changed[HOST] == 0
    assert frame.mutating_since(mark) == []
    assert frame.hooked == []
    assert frame.record()["runbook"]["outcome"] == "nothing to do"


def test_a_rehearsal_shows_decision_and_difference_and_changes_nothing(frame: Frame) -> None:
    frame.make("off", "ALARM")
    mark = frame.mark()
    run = frame.run("--check")
    assert run.code == 0, run.output
    for words in ("cause       The switch is off.", "-/frame/hello=off", "+/frame/hello=on"):
        assert words in run.output
    assert frame.mutating_since(mark) == []
    assert frame.position == "off"
    assert frame.hooked == []
    assert frame.told() == []
    assert frame.record()["runbook"]["outcome"] == "rehearsed"


def test_red_it_acts_until_green_tells_people_and_keeps_secrets(
    frame: Frame, tmp_path: Path
) -> None:
    frame.make("off", "ALARM")
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps({"api_token": TOKEN}))
    run = frame.run("-vvv", "-e", f"@{secret}", *ASKED, "-e", "confirm=local")
    assert run.code == 0, run.output
    assert run.changed[HOST] == 1
    assert frame.position == "on"
    assert frame.state == "OK"
    assert frame.items() == []
    record = frame.record()
    runbook = record["runbook"]
    assert record["outcome"] == "ok"
    assert runbook["outcome"] == "mended"
    times = runbook["times"]
    assert times["red_since"] < times["opened"] < times["first_action"] <= times["last_action"]
    assert runbook["recovery_seconds"] == times["recovery_seconds"] > 0
    assert times["ours_seconds"] + times["aws_clock_seconds"] == pytest.approx(
        times["recovery_seconds"], abs=0.2
    )
    assert runbook["actions"][0]["what"] == "turned on"
    assert any("test_the_switch_is_on PASSED" in line for line in runbook["checks"])
    values = [value for _at, value in runbook["metrics"][0]["points"]]
    assert max(values) == 1
    assert values[0] == 0 or values[-1] == 0, values
    heads = [f"Runbook switch {what} in local" for what in ("opened", "closed")]
    told = sorted(frame.told(), key=lambda text: "closed" in text)
    assert [text.startswith(head) for text, head in zip(told, heads, strict=True)] == [True, True]
    assert told[1].endswith("closed in local: mended")
    assert [one["text"].splitlines()[0] for one in frame.hooked] == told
    assert HOOK in frame.hooked[0]["path"]
    for word in (TOKEN, HOOK):
        assert word not in run.output
    assert secrets_in(frame.cloud.settings.home / "evidence") == []
    report = max(
        (frame.cloud.settings.home / "evidence/local").glob("*.html"), key=os.path.getmtime
    )
    page = report.read_text()
    assert "Mended in" in page
    assert "<svg" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_without_the_environments_name_it_does_not_act(frame: Frame) -> None:
    frame.make("off", "ALARM")
    mark = frame.mark()
    run = frame.run(*ASKED, "-e", "confirm=prod")
    assert run.code == 2
    said = " ".join(run.output.split())
    assert "The name given is not local, so nothing was changed" in said
    assert frame.mutating_since(mark) == []
    assert frame.hooked == []


def test_planned_work_waits_until_nothing_is_red(frame: Frame) -> None:
    frame.make("off", "ALARM")
    mark = frame.mark()
    run = frame.run("-e", "runbook_name=planned")
    assert run.code == 2
    said = " ".join(run.output.split())
    assert "planned is planned work, and frame-hello-off of local is red" in said
    assert frame.mutating_since(mark) == []


def test_a_mitigation_that_fails_is_undone(frame: Frame) -> None:
    frame.make("off", "ALARM")
    run = frame.run("-e", "mode=fails")
    assert run.code == 2
    assert "The switch is stuck half-way. Undone: Turn /frame/hello." in " ".join(
        run.output.split()
    )
    assert frame.position == "off"
    assert frame.items() == []
    runbook = frame.record()["runbook"]
    assert runbook["outcome"] == "failed"
    assert [one["undone"] for one in runbook["undone"]] == [True]


def test_what_never_turns_green_is_undone_and_said(frame: Frame) -> None:
    frame.make("off", "ALARM")
    run = frame.run("-e", "mode=useless", "-e", "runbook_recovery_timeout=3")
    assert run.code == 2
    said = " ".join(run.output.split())
    assert "Not green after 3 s: frame-hello-off is in ALARM since" in said
    assert frame.position == "off"
    assert frame.items() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_broken_off_in_the_middle_it_is_undone(frame: Frame, number: signal.Signals) -> None:
    frame.make("off", "ALARM")
    first = frame.begin("-e", "mode=hangs")
    wait_until_hanging(frame)
    if number == signal.SIGINT:
        second = frame.run()
        said = " ".join(second.output.split())
        assert second.code == 2
        assert f"(process {first.pid}) for runbook switch since" in said
        assert "nothing was changed" in said
        assert frame.position == "half", "the second run undid the first one's step"
    first.send_signal(number)
    # Whoever is impatient presses twice.
    first.send_signal(number)
    run = finish(first, timeout=200)
    assert run.code == 99, run.output
    assert "Undone: Turn /frame/hello" in run.output
    assert frame.position == "off"
    assert frame.items() == []
    record = frame.record()
    assert record["outcome"] == "interrupted"
    assert record["runbook"]["outcome"] == "interrupted"
    assert frame.hooked[-1]["text"].splitlines()[0].endswith("interrupted")


def test_killed_in_the_middle_the_next_run_undoes_and_mends(frame: Frame) -> None:
    frame.make("off", "ALARM")
    first = frame.begin("-e", "mode=hangs")
    wait_until_hanging(frame)
    first.kill()
    first.wait()
    assert frame.items() == ["local/operations", "local/runbook"]
    run = frame.run()
    assert run.code == 0, run.output
    said = " ".join(run.output.split())
    assert f"(process {first.pid}) did not come to its end" in said
    assert "Undone: Turn /frame/hello" in said
    assert frame.position == "on"
    assert frame.items() == []
    assert [one["undone"] for one in frame.record()["runbook"]["undone"]] == [True]


def test_ansible_runner_runs_it_and_keeps_no_secret(frame: Frame, tmp_path: Path) -> None:
    frame.make("off", "ALARM")
    home = frame.cloud.settings.home
    run = run_by_runner(
        tmp_path / "runner",
        "tests/frame/runbooks/switch.yml",
        {**json.loads(frame.words[1]), "api_token": TOKEN},
        limit=HOST,
    )
    assert run.rc == 0
    assert frame.position == "on"
    assert secrets_in(tmp_path / "runner/artifacts") == []
    assert secrets_in(home / "evidence") == []
