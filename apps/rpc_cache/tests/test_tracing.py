"""Which trace a request belongs to, and its way on to the nodes."""

import json
import time

import httpx
import pytest
import websockets

from rpc_cache.tracing import Span, begin, carried

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


def test_a_new_trace_and_the_callers_flags_are_carried():
    span = begin("", "")
    assert carried() == {"traceparent": f"00-{span.trace_id}-{span.span_id}-01"}
    for named, amazon in ((f"00-{TRACE}-{CALLER}-00", ""), ("", f"{ROOT};Sampled=0")):
        span = begin(named, amazon)
        assert carried() == {"traceparent": f"00-{TRACE}-{span.span_id}-00"}


async def test_one_trace_leads_from_the_logs_to_the_nodes(process, node):
    service = await process(DRAIN_DELAY="0").serving()
    async with httpx.AsyncClient(trust_env=False) as http:
        call = {"jsonrpc": "2.0", "id": 1, "method": "getVersion"}
        answer = await http.post(f"{service.url}/rpc", json=call, headers={"traceparent": NAMED})
        assert answer.status_code == 200
        # The negative control: who names no trace is of another.
        await http.post(f"{service.url}/rpc", json={**call, "method": "getIdentity"})
    address = f"ws://127.0.0.1:{service.port}/rpc"
    named = {"X-Amzn-Trace-Id": ROOT}
    async with websockets.connect(address, additional_headers=named) as socket:
        await socket.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "slotSubscribe"}))
        await socket.recv()
    await node.stop()
    async with websockets.connect(address, additional_headers=named) as socket:
        with pytest.raises(websockets.ConnectionClosed):
            await socket.recv()
    service.signal()
    code, output = await service.ended()
    assert code == 0
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    requests = [line for line in lines if line["event"] == "request" and line["path"] == "/rpc"]
    assert [line["trace_id"] == TRACE for line in requests] == [True, False]
    assert requests[0]["parent_id"] == CALLER
    spans = [(line["trace_id"], line["span_id"]) for line in requests]
    carried_on = [tuple(one.split("-")[1:3]) for one in node.traceparents]
    assert carried_on[:2] == spans
    assert carried_on[2][0] == TRACE and carried_on[2] not in spans
    (failed,) = [line for line in lines if line["event"] == "subscription_failed"]
    assert failed["trace_id"] == TRACE and failed["span_id"] not in spans[0]
