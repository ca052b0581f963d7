"""One request, and one event, found by their trace in the logs of all who dealt with them."""

import datetime
import json
import secrets
import time
import uuid

import pytest
import requests

from tests.platform.conftest import wait_for

from .drills.events import FIRST_SLOT, STREAM
from .site import Run, Site, evidence, play

SKU = "marlin-spike"


def new_trace() -> str:
    """32 hex digits as X-Ray makes them."""
    return f"{int(time.time()):08x}{secrets.token_hex(12)}"


def order(site: Site, headers: dict[str, str]) -> str:
    """The id of an order that has been placed and paid through the load balancer."""
    answer = requests.post(
        f"{site.url}/api/order/orders",
        json={"sku": SKU, "quantity": 1, "card": "4242 4242 4242 4242"},
        headers={"Idempotency-Key": str(uuid.uuid4()), **headers},
        timeout=30,
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def logged(site: Site, workload: str, trace: str) -> int:
    """How many lines CloudWatch Logs has of a trace; what was written a moment ago may not be."""
    found = site.cloud.client("logs").filter_log_events(
        logGroupName=f"/{site.cluster}/{workload}", filterPattern=f'"{trace}"'
    )
    return len(found["events"])


def follow(site: Site, trace: str, *arguments: str) -> tuple[Run, str]:
    """Runs the command, which changes nothing; its run, and what it noted as evidence."""
    mark = site.mark()
    done = play("trace", "-e", f"trace_id={trace}", *arguments)
    assert done.code == 0, done.story
    assert site.changes_since(mark) == [] and not any(done.changed.values())
    notes = evidence(site.cloud.settings.home, "trace")["notes"]
    return done, " ".join(note["text"] for note in notes)


def test_an_order_is_followed_through_both_services(site: Site) -> None:
    trace, other = new_trace(), new_trace()
    named = f"00-{trace}-{secrets.token_hex(8)}-01"
    mine = order(site, {"traceparent": named})
    # The negative control: another order, by the load balancer's header.
    theirs = order(site, {"X-Amzn-Trace-Id": f"Root=1-{other[:8]}-{other[8:]}"})
    for one in (trace, other):
        # Product's lines are of the reservation and of its confirmation.
        wait_for(
            lambda one=one: logged(site, "order", one) and logged(site, "product", one) >= 2,
            60, f"the lines of trace {one}",
        )  # fmt: skip
    done, note = follow(site, named)
    assert f"Trace {trace}: " in note and " of product, order, from " in note
    said = " ".join(done.output.split())
    assert "/reservations 201 in " in said and "request POST /api/order/orders 201 in " in said
    assert f"order_id={mine}" in said
    assert theirs not in said and other not in said
    # The same by X-Ray's spelling, in a rehearsal: the other order, and nothing of the first.
    done, note = follow(site, f"1-{other[:8]}-{other[8:]}", "--check")
    assert " of product, order, from " in note
    assert f"order_id={theirs}" in done.output and mine not in done.output


def test_what_nobody_logged_is_said_with_where_it_was_looked_for(site: Site) -> None:
    _, note = follow(site, new_trace(), "-e", "trace_minutes=5", "--limit", "order,product")
    assert "No line of trace" in note
    assert f"in /{site.cluster}/order, /{site.cluster}/product, from " in note


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("trace_id=not-a-trace", "'not-a-trace', which names no trace: give 32 hex digits"),
        (f"trace_id={'a' * 32} trace_minutes=0", "trace_minutes is '0': give how many minutes"),
    ],
)
def test_what_names_no_trace_is_refused(site: Site, given: str, says: str) -> None:
    done = play("trace", "-e", given)
    assert done.code != 0
    assert says in " ".join(done.output.split())


def test_an_event_is_followed_to_its_consumer(site: Site) -> None:
    trace, quiet, key = new_trace(), new_trace(), f"trace-{secrets.token_hex(4)}"
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    for number, named in enumerate((f"{quiet}-{'5' * 16}-00", f"{trace}-{'5' * 16}-01")):
        event = {
            "schema_version": 1,
            "id": f"{key}:{number}",
            "source": "solana",
            "type": "slot",
            "key": key,
            "slot": FIRST_SLOT + number,
            "time": now,
            "traceparent": f"00-{named}",
            "payload": {"parent": FIRST_SLOT, "root": FIRST_SLOT},
        }
        site.cloud.client("kinesis").put_record(
            StreamName=STREAM, Data=json.dumps(event).encode(), PartitionKey=key
        )
    wait_for(lambda: logged(site, "consumer", trace), 60, "the consumer's line of the event")
    done, note = follow(site, trace)
    assert f"Trace {trace}: 1 line of consumer, from " in note
    assert "applied" in done.output and f"id={key}:1" in done.output
    # The negative control: it came first, was applied, and is not of the sampled.
    assert site.rows(f"SELECT events FROM events.accounts WHERE key = '{key}'") == ["2"]  # noqa: S608
    assert "No line of trace" in follow(site, quiet)[1]
