"""Jobs run by ansible-runner, and what is refused before it starts."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jobs_definitions as definitions
import jobs_run
import jobs_survey as survey
import pytest

import jobs

from .conftest import write


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What a web hook on this machine is told."""
    found: list[str] = []

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.append(json.loads(body)["text"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("DRYDOCK_WEBHOOK", f"http://127.0.0.1:{server.server_address[1]}")
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DRYDOCK_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_a_job_runs_and_returns_its_exit_code(
    small: Path,
    home: Path,
    told: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture,
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-hush")
    assert jobs.main(["run", "change", "dev", "size=3"], small) == 0
    assert "check=True size=3" in capfd.readouterr().out
    assert told == []
    # The play refuses 5 and more, which the survey allows.
    assert jobs.main(["run", "change", "dev", "size=6", "check=no"], small) == 2
    assert "check=False size=6" not in capfd.readouterr().out
    assert told == ["Drydock: change on dev has failed."]
    runs = list((home / "jobs/dev/change").iterdir())
    assert len(runs) == 2
    assert all(run.stat().st_mode & 0o077 == 0 for run in runs)
    kept = [path for run in runs for path in run.rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if b"hush-hush" in path.read_bytes()]


def recorded(monkeypatch: pytest.MonkeyPatch, *codes: int) -> list[tuple[str, dict[str, Any]]]:
    """Jobs that were started, each ending with the next exit code."""
    started: list[tuple[str, dict[str, Any]]] = []
    ends = iter(codes)

    def start(
        _project: Path, _found: Any, job: definitions.Job, _environment: str, values: dict
    ) -> int:
        started.append((job.name, values))
        return next(ends)

    monkeypatch.setattr(jobs_run, "start", start)
    return started


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["gone", "dev"], "gone is no job: take one of look, change, mend, both"),
        (["look", "moon"], "look does not run on moon"),
        (["look", "dev", "size"], "size is no field=value"),
        (["look", "dev", "size=1", "size=2"], "size is given twice"),
        (["look", "dev", "size=ten"], "size=ten is no whole number: How many."),
        (["look", "dev", "size=1.5"], "size=1.5 is no whole number"),
        (["look", "dev", "size=0"], "size=0 is not from 1 to 9"),
        (["look", "dev", "size=10"], "size=10 is not from 1 to 9"),
        (["look", "dev", "sice=1"], "sice is no field of it; did you mean size?"),
        (["look", "dev", "check=no"], "check is no field of it"),
        (["change", "dev", "check=maybe"], "check=maybe is neither yes nor no"),
        (["change", "dev", "limit=a b"], "limit=a b is no pattern of hosts"),
        (["change", "dev", "limit={{ x }}"], "holds a template, which Ansible would evaluate"),
        (["change", "dev", "approve=dev"], "approve is no field of it"),
        (["change", "prod", "check=no"], "somebody has to agree to: run it without check=no"),
        (["change", "prod", "check=no", "approve=yes"], "somebody has to agree"),
        (["both", "dev", "size=1"], "size is no field of it (fields: none)"),
    ],
)
def test_what_can_t_be_is_refused_before_anything_starts(
    small: Path,
    words: list[str],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    started = recorded(monkeypatch)
    assert jobs.main(["run", *words], small) == 2
    assert sentence in capsys.readouterr().err
    assert started == []


def test_a_rehearsal_is_what_one_gets_unasked(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = recorded(monkeypatch, 0, 0)
    assert jobs.main(["run", "change", "prod"], small) == 0
    assert jobs.main(["run", "change", "prod", "check=no", "approve=prod"], small) == 0
    assert started == [
        ("change", {"size": 1, "check": True}),
        ("change", {"size": 1, "check": False}),
    ]


def test_a_workflow_waits_for_an_approval_and_ends_at_what_fails(
    small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    started = recorded(monkeypatch, 0, 0, 0, 4)
    assert jobs.main(["run", "both", "prod"], small) == 3
    assert (
        "both waits: Go on? Who agrees runs it again with approve=prod." in capsys.readouterr().out
    )
    assert [name for name, _ in started] == ["look"]
    assert jobs.main(["run", "both", "prod", "approve=prod"], small) == 0
    assert [name for name, _ in started] == ["look", "look", "change"]
    assert started[-1][1] == {"size": 1, "check": False}
    assert jobs.main(["run", "both", "dev"], small) == 4
    assert "both ends at look" in capsys.readouterr().err


def test_how_ansible_runner_is_called(small: Path, home: Path) -> None:
    (small / "inventories/nodes/dev").mkdir(parents=True)
    write(
        small,
        "playbooks",
        lambda found: {
            **found,
            "look": {
                **found["look"],
                "environments": ["dev"],
                "inventories": ["nodes"],
                "variables": {"operation": "list"},
                "timeout_minutes": 7,
            },
        },
    )
    write(small, "workflows", lambda _: {})
    found = definitions.load(small)
    calls: list[dict[str, Any]] = []

    class Ended:
        rc, status = 254, "timeout"

    def runner(**call: Any) -> Ended:
        calls.append(call)
        return Ended()

    values = {"size": 2, "check": True, "limit": "one"}
    for _ in range(jobs_run.KEPT + 2):
        assert jobs_run.start(small, found, found.jobs["look"], "dev", values, runner) == 254
    call = calls[0]
    assert call["inventory"] == [
        str(small / "inventories/dev"),
        str(small / "inventories/nodes/dev"),
    ]
    assert call["extravars"] == {"operation": "list", "size": 2}
    assert (call["limit"], call["cmdline"]) == ("one", "--check --diff")
    assert call["settings"]["job_timeout"] == 420
    assert len(list((home / "jobs/dev/look").iterdir())) == jobs_run.KEPT


@pytest.mark.parametrize(
    ("field", "value", "typed"),
    [
        ({"type": "bool"}, "Yes", True),
        ({"type": "bool"}, "0", False),
        ({"type": "int", "minimum": -5, "maximum": 5}, "-3", -3),
        ({"type": "float", "minimum": 0, "maximum": 1}, "0.25", 0.25),
        ({"type": "list"}, "a, b,", ["a", "b"]),
        ({"type": "str", "choices": ["a", "b"]}, "b", "b"),
    ],
)
def test_values_become_what_their_fields_are(field: dict, value: str, typed: object) -> None:
    assert survey.convert(field, value) == typed


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ({"type": "int", "minimum": 0, "maximum": 5}, True, "is no whole number"),
        ({"type": "float", "minimum": 0, "maximum": 5}, "nan", "is no number"),
        ({"type": "float", "minimum": 0, "maximum": 5}, "inf", "is no number"),
        ({"type": "str", "maximum": 3}, "abcd", "has 4 characters, not 0 to 3"),
        ({"type": "str"}, "a\nb", "holds characters that can't be printed"),
        ({"type": "str"}, "{% raw %}", "holds a template"),
        ({"type": "str"}, 5, "is no text"),
        ({"type": "str", "choices": ["a", "b"]}, "c", "is none of a, b"),
        ({"type": "list", "maximum": 1}, "a,b", "has 2 words, not 0 to 1"),
        ({"type": "list"}, [1], "is no list of words"),
        ({"type": "bool"}, 1, "is neither yes nor no"),
    ],
)
def test_values_beyond_their_fields_are_refused(field: dict, value: object, words: str) -> None:
    with pytest.raises(survey.BadValue, match=words):
        survey.convert(field, value)
