"""The service as a process: WebSockets, metrics, logs, configuration, its end."""

import asyncio
import json

import httpx
import pytest
import websockets
from conftest import account


def events(output):
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


async def test_subscriptions_are_passed_on(process, node):
    service = await process(CALLER_HOPS="0", CALLER_LIMITS='{"ip:127.0.0.1": 0.1}').serving()
    async with websockets.connect(f"ws://127.0.0.1:{service.port}/rpc") as socket:
        await socket.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "slotSubscribe"}))
        got = [json.loads(await socket.recv()) for _ in range(4)]
        assert got[0] == {"jsonrpc": "2.0", "result": 7, "id": 1}
        assert [note["result"]["slot"] for note in got[1:]] == [0, 1, 2]
        await socket.send("nonsense")
        assert json.loads(await socket.recv())["error"]["code"] == -32600
        await socket.send(json.dumps({"id": 2, "method": "slotUnsubscribe"}))
        refused = json.loads(await socket.recv())
        assert (refused["id"], refused["error"]["data"]["limited"]) == (2, "caller")
        assert node.calls["slotUnsubscribe"] == 0


async def test_the_end_of_a_subscription_is_told(process, node):
    service = await process().serving()
    async with websockets.connect(f"ws://127.0.0.1:{service.port}/rpc/") as socket:
        await socket.send(json.dumps({"id": 1, "method": "bye"}))
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await asyncio.wait_for(socket.recv(), 5)
        assert closed.value.rcvd.code == 1013
    await node.stop()
    async with websockets.connect(f"ws://127.0.0.1:{service.port}/rpc") as socket:
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await asyncio.wait_for(socket.recv(), 5)
        assert closed.value.rcvd.code == 1013


async def test_too_many_websockets_are_sent_away(process, node):
    service = await process(WEBSOCKETS_MAX="1").serving()
    address = f"ws://127.0.0.1:{service.port}/rpc"
    async with websockets.connect(address) as first, websockets.connect(address) as second:
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await asyncio.wait_for(second.recv(), 5)
        assert "too many" in closed.value.rcvd.reason
        await first.send(json.dumps({"id": 1, "method": "slotSubscribe"}))
        assert json.loads(await first.recv())["result"] == 7


async def test_metrics_say_who_asked_for_what(process, node):
    node.delay = 0.02
    service = await process(
        METRICS_SECONDS="600", DRAIN_DELAY="0", CALLER_LIMITS='{"ip:192.0.2.9": 0.01}'
    ).serving()
    key = account()
    async with httpx.AsyncClient() as http:

        async def call(caller, method, *params):
            await http.post(
                f"{service.url}/rpc",
                json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params},
                headers={"X-Forwarded-For": caller},
            )

        for _ in range(10):
            await call("192.0.2.1", "getBalance", key)
        for _ in range(6):
            await call("192.0.2.9", "simulateTransaction", account())
        await call("192.0.2.1", "getOfMyOwnMaking1")
        await call("192.0.2.1", "getOfMyOwnMaking2")
    service.signal()
    code, output = await service.ended()
    assert code == 0, output
    lines = [event for event in events(output) if event["event"] == "metrics"]

    def find(**dimensions):
        names = ["Service", *dimensions]
        (found,) = [
            line for line in lines
            if line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [names]
            and all(line[name] == value for name, value in dimensions.items())
        ]  # fmt: skip
        return found

    everything = find()
    assert everything["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Drydock/RpcCache"
    assert everything["Service"] == "rpc_cache"
    balance = find(Method="getBalance")
    assert (balance["Calls"], balance["Hits"] >= 8, balance["Limited"]) == (10, True, 0)
    refused = find(Caller="ip:192.0.2.9")
    assert refused["Calls"] == 6 and refused["Limited"] >= 3
    assert refused["NodeCalls"] + refused["Limited"] == 6
    assert refused["asked_for"] == {"simulateTransaction": refused["NodeCalls"]}
    assert refused["NodeTime"] >= 20 * refused["NodeCalls"]
    # What callers make up is one metric, not one each.
    assert find(Method="other")["Calls"] == 2
    assert len(everything["NodeLatency"]) == everything["NodeCalls"]
    assert everything["Calls"] == 18


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("NODE_URL", "ftp://node", "NODE_URL can't be used: its scheme is 'ftp'"),
        ("NODE_WEBSOCKET_URL", "http://node", "its scheme is 'http'"),
        ("REDIS_URL", "redis://cache/x", "its database 'x' is not a number"),
        ("CALLER_LIMITS", "{", "it is not JSON"),
        ("CALLER_LIMITS", '{"ip:192.0.2.1": 0}', "CALLER_LIMITS[ip:192.0.2.1]=0"),
        ("METHOD_TTLS", '{"sendTransaction": 5}', "sendTransaction are never kept"),
        ("CALLER_KEYS", '{"desk": "secret"}', "not 64 hex digits"),
        ("NODE_URL", "", "NODE_URL is not set"),
    ],
)
async def test_a_wrong_setting_stops_the_start_with_a_sentence(process, variable, value, words):
    code, output = await (await process(**{variable: value}).begin()).ended()
    assert code == 78
    (event,) = events(output)
    assert words in event["message"]


async def test_it_takes_no_command(process):
    code, output = await (await process().begin("migrate")).ended()
    assert (code, "is no command" in output) == (64, True)


async def test_a_stop_that_no_client_notices(process, node):
    service = await process(DRAIN_DELAY="3").serving()
    node.delay = 0.8
    limits = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(limits=limits) as http:

        async def call():
            body = {"jsonrpc": "2.0", "id": 1, "method": "sendTransaction", "params": ["AQ=="]}
            return await http.post(f"{service.url}/rpc", json=body)

        before = asyncio.create_task(call())
        await asyncio.sleep(0.1)
        service.signal()
        async with asyncio.timeout(2):
            while (await http.get(f"{service.url}/ready")).status_code != 503:
                await asyncio.sleep(0.05)
        during = asyncio.create_task(call())
        answers = await asyncio.gather(before, during)
        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[1].headers["connection"] == "close"
    code, output = await service.ended()
    assert code == 0, output


async def test_a_key_in_the_nodes_address_stays_out_of_the_logs(process, node):
    service = await process(
        NODE_URL="http://127.0.0.1:1/?api-key=s3cr3t-of-ours", DRAIN_DELAY="0"
    ).serving()
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{service.url}/rpc", json={"id": 1, "method": "getSlot"})
    assert answer.status_code == 503
    service.signal()
    _, output = await service.ended()
    assert "s3cr3t" not in output and "s3cr3t" not in answer.text
