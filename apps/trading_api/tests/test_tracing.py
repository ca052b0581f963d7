"""Which trace a request belongs to."""

import time

import pytest

from trading_api.tracing import Span

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
ROOT = f"Root=1-{TRACE[:8]}-{TRACE[8:]}"  # the trace in the load balancer's spelling
NAMED = f"00-{TRACE}-{CALLER}-01"


@pytest.mark.parametrize(
    ("traceparent", "amazon", "parent"),
    [
        (NAMED, "", CALLER),
        (NAMED, "Root=1-5759e988-bd862e3fe1be46a994272793", CALLER),
        (f"cc-{TRACE}-{CALLER}-01-of-a-later-version", "", CALLER),
        ("", ROOT, ""),
        ("nonsense", f"Self=1-5759e988-bd862e3fe1be46a994272793;{ROOT};Sampled=1", ""),
        ("", f"{ROOT};Parent={CALLER};Sampled=0", CALLER),
    ],
)
def test_the_callers_trace_goes_on_in_a_span_of_its_own(traceparent, amazon, parent):
    span = Span.of(traceparent, amazon)
    assert (span.trace_id, span.parent_id) == (TRACE, parent)
    assert len(span.span_id) == 16 and span.span_id != CALLER
    assert ("parent_id" in span.fields()) is bool(parent)
    assert Span.of(traceparent, amazon).span_id != span.span_id


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        "nonsense",
        NAMED.upper(),
        f"ff-{TRACE}-{CALLER}-01",
        f"00-{'0' * 32}-{CALLER}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"{NAMED}-more",
        f"{NAMED}\n",
    ],
)
def test_nonsense_begins_a_trace_that_xray_takes(traceparent):
    span = Span.of(traceparent, "Root=2-nonsense")
    assert len(span.trace_id) == 32 and span.trace_id != TRACE and not span.parent_id
    assert abs(int(span.trace_id[:8], 16) - time.time()) < 60
    assert set(span.fields()) == {"trace_id", "span_id"}
