"""The function that watches the stream: what counts, what is refused, where Lambda goes on."""

import base64
import importlib.util
import json
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[3] / "functions/watch_events/index.py"
GOOD = {"id": "1", "source": "listener", "type": "slot", "time": "2026-01-01T00:00:00Z"}


@pytest.fixture
def function(monkeypatch):
    monkeypatch.setenv("STREAM", "drydock-dev-events")
    spec = importlib.util.spec_from_file_location("watch_events", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _batch(*contents):
    """Records 1, 2, … that arrived two seconds after the event in GOOD."""
    return {
        "Records": [
            {
                "kinesis": {
                    "data": base64.b64encode(content).decode(),
                    "sequenceNumber": str(number),
                    "approximateArrivalTimestamp": 1767225602.0,
                }
            }
            for number, content in enumerate(contents, 1)
        ]
    }


def _metrics(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_events_are_counted_and_their_age_measured(function, capsys):
    event = json.dumps(GOOD).encode()
    assert function.handler(_batch(event, event), None) == {"batchItemFailures": []}
    told = _metrics(capsys)
    assert (told["Events"], told["Rejected"], told["Age"]) == (2, 0, [2.0, 2.0])
    assert told["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["Stream"]]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff", "not JSON"),
        (b"[1]", "not a JSON object"),
        (json.dumps({**GOOD, "id": 7}).encode(), "lacks id"),
        (json.dumps({**GOOD, "time": "yesterday"}).encode(), "RFC 3339"),
        (json.dumps({**GOOD, "time": "2026-01-01T00:00:00"}).encode(), "time zone"),
    ],
)
def test_lambda_goes_on_from_the_first_record_that_is_no_event(function, capsys, content, reason):
    good = json.dumps(GOOD).encode()
    answer = function.handler(_batch(good, content, good), None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    lines = capsys.readouterr().out.splitlines()
    assert reason in json.loads(lines[0])["reason"]
    told = json.loads(lines[-1])
    # The third is counted when Lambda comes again with it, not now.
    assert (told["Events"], told["Rejected"]) == (1, 1)


def test_a_batch_of_nothing_but_bad_records_has_no_age(function, capsys):
    function.handler(_batch(b"{}"), None)
    assert "Age" not in _metrics(capsys)
