"""Fewer calls at the node: what is kept, for how long, and for whom."""

import asyncio
import time

import pytest
from conftest import account
from patience import waited

from rpc_cache import methods


async def test_the_second_answer_is_a_hit_and_the_same(start, node):
    node.answers["getAccountInfo"] = {"context": {"slot": 5}, "value": {"rentEpoch": 2**64 - 1}}
    task = await start()
    key = account()
    first = await task.call("getAccountInfo", key, {"encoding": "base64"})
    second = await task.post(
        {"jsonrpc": "2.0", "id": "two", "method": "getAccountInfo",
         "params": [key, {"commitment": "finalized", "encoding": "base64"}]}
    )  # fmt: skip
    assert (first.headers["X-Cache"], second.headers["X-Cache"]) == ("miss", "hit")
    assert second.json() == {**first.json(), "id": "two"}
    assert first.json()["result"]["value"]["rentEpoch"] == 2**64 - 1
    assert node.calls["getAccountInfo"] == 1


async def test_a_crowd_costs_the_node_one_call(start, node):
    node.delay = 0.2
    tasks = [await start(), await start()]
    key = account()
    answers = await asyncio.gather(
        *(tasks[n % 2].result("getBalance", key, caller=f"192.0.2.{n}") for n in range(60))
    )
    assert len(set(answers)) == 1
    assert node.calls["getBalance"] == 1


async def test_commitments_and_arguments_are_kept_apart(start, node):
    task = await start()
    key = account()
    for config in ({"commitment": level} for level in methods.LEVELS):
        await task.result("getBalance", key, config)
    await task.result("getBalance", account())
    assert node.calls["getBalance"] == 4
    # A caller who says which slot it has seen wants nothing older.
    for _ in range(2):
        answer = await task.call("getBalance", key, {"minContextSlot": 1})
        assert answer.headers["X-Cache"] == "pass"
    assert node.calls["getBalance"] == 6


async def test_an_answer_ends_with_its_time_in_all_tasks(start, node):
    here, there = await start(), await start()
    key = account()
    first = await here.result("getBalance", key, {"commitment": "confirmed"})
    stored = time.monotonic()
    await asyncio.sleep(0.2)
    assert await there.result("getBalance", key, {"commitment": "confirmed"}) == first
    # The other task's memory does not give it a second life.
    await asyncio.sleep(max(0, stored + 0.45 - time.monotonic()))
    assert await there.result("getBalance", key, {"commitment": "confirmed"}) != first


async def test_a_factor_and_a_method_of_its_own_keep_longer(start, node):
    task = await start(ttl_factor=10, method_ttls={"getSlot": 0})
    key = account()
    await task.result("getBalance", key)
    await asyncio.sleep(1.2)
    assert (await task.call("getBalance", key)).headers["X-Cache"] == "hit"
    assert (await task.call("getSlot")).headers["X-Cache"] == "pass"


@pytest.mark.parametrize("method", ["sendTransaction", "simulateTransaction", "getHealth"])
async def test_what_acts_is_passed_on_each_time(start, node, method):
    task = await start()
    for _ in range(3):
        answer = await task.call(method, "AQ==")
        assert answer.headers["X-Cache"] == "pass"
    assert node.calls[method] == 3


async def test_what_is_passed_on_comes_back_as_it_was(start, node):
    task = await start()
    body = {"jsonrpc": "2.0", "id": "x-1", "method": "getThatIsNew", "params": {"named": True}}
    node.answers["getThatIsNew"] = lambda call: call["params"]
    assert (await task.post(body)).json() == {
        "jsonrpc": "2.0", "id": "x-1", "result": {"named": True},
    }  # fmt: skip


async def test_nothing_and_errors_are_not_kept(start, node):
    task = await start()
    key = account()
    node.answers["getTransaction"] = None
    assert await task.result("getTransaction", key, "json") is None
    await asyncio.sleep(0.45)
    node.errors["getTransaction"] = {"code": -32015, "message": "version", "data": {"a": 1}}
    refused = await task.call("getTransaction", key, "json")
    assert (refused.status_code, refused.json()["error"]) == (200, node.errors["getTransaction"])
    node.errors.clear()
    node.answers["getTransaction"] = {"slot": 1}
    assert await task.result("getTransaction", key, "json") == {"slot": 1}
    # Final history stays.
    await asyncio.sleep(0.5)
    assert (await task.call("getTransaction", key, "json")).headers["X-Cache"] == "hit"


async def test_an_answer_too_large_is_given_and_not_kept(start, node):
    node.answers["getProgramAccounts"] = ["x" * 5000]
    task = await start(entry_max=4096, answer_max=8192)
    key = account()
    for _ in range(2):
        answer = await task.call("getProgramAccounts", key)
        assert (answer.headers["X-Cache"], len(answer.json()["result"][0])) == ("miss", 5000)
    node.answers["getProgramAccounts"] = ["x" * 9000]
    refused = await task.call("getProgramAccounts", key)
    assert "more than 8192 bytes" in refused.json()["error"]["message"]


async def test_memory_stays_within_its_bytes(start, node):
    node.answers["getAccountInfo"] = "x" * 1000
    task = await start(memory_max=10_000, ttl_factor=100)
    for _ in range(40):
        await task.result("getAccountInfo", account())
    last = account()
    await task.result("getAccountInfo", last)
    assert (await task.call("getAccountInfo", last)).headers["X-Cache"] == "hit"


async def test_serves_without_redis_and_takes_it_back(start, node, redis_wire):
    task = await start(redis_url=redis_wire.url, redis_timeout=0.3, redis_connect_timeout=0.3)
    key = account()
    await task.result("getBalance", key)
    for fault in (redis_wire.gone, redis_wire.silent):
        fault()
        before = node.calls["getSlot"]
        async with waited() as passed:
            answers = await asyncio.gather(*(task.call("getSlot") for _ in range(50)))
        assert {answer.status_code for answer in answers} == {200}
        assert passed.seconds < 3
        # One for all, without Redis too.
        assert node.calls["getSlot"] - before <= 2
        assert (await task.http.get("/ready")).json() == {"status": "degraded", "cache": "away"}
        redis_wire.up()
        async with asyncio.timeout(10):
            while (await task.http.get("/ready")).json()["cache"] != "ok":
                await asyncio.sleep(0.1)
        await asyncio.sleep(0.9)


async def test_a_caller_that_hangs_up_takes_no_answer_away(start, node):
    node.delay = 0.3
    task = await start()
    key = account()
    impatient = asyncio.create_task(task.result("getBalance", key))
    await asyncio.sleep(0.1)
    patient = asyncio.create_task(task.result("getBalance", key))
    await asyncio.sleep(0.05)
    impatient.cancel()
    assert await patient
    assert node.calls["getBalance"] == 1


async def test_a_batch_is_answered_in_order(start, node):
    task = await start(batch_max=6)
    key = account()
    await task.result("getBalance", key)
    node.errors["getBlock"] = {"code": -32009, "message": "skipped"}
    answer = await task.post([
        {"jsonrpc": "2.0", "id": 1, "method": "getBalance", "params": [key]},
        {"jsonrpc": "2.0", "id": 2, "method": "getBlock", "params": [7]},
        {"jsonrpc": "2.0", "method": "getSlot"},
        "nonsense",
        {"jsonrpc": "2.0", "id": "last", "method": "getVersion"},
    ])  # fmt: skip
    assert [one["id"] for one in answer.json()] == [1, 2, None, "last"]
    assert ["error" in one for one in answer.json()] == [False, True, True, False]
    assert node.calls["getBalance"] == 1
    assert (await task.post([{"jsonrpc": "2.0", "method": "getSlot"}])).status_code == 204
    many = [{"jsonrpc": "2.0", "id": n, "method": "getSlot"} for n in range(7)]
    assert (await task.post(many)).status_code == 413


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("{", 200, -32700),
        ("[]", 200, -32600),
        ('"getSlot"', 200, -32600),
        ('{"id": 1, "method": 7}', 200, -32600),
        ('{"id": [1], "method": "getSlot"}', 200, -32600),
        ("[" + " " * 5000 + "]", 413, -32600),
    ],
)
async def test_what_is_no_call_is_refused(start, node, body, status, code):
    task = await start(request_max=4096)
    answer = await task.post(body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert not node.seen


async def test_without_a_node_it_says_so_and_serves_what_it_has(start, node):
    task = await start()
    key = account()
    fixed = await task.result("getGenesisHash")
    await node.stop()
    for method in ("getBalance", "sendTransaction"):
        away = await task.call(method, key)
        assert (away.status_code, away.headers["Retry-After"]) == (503, "1")
        assert away.json()["error"]["code"] == -32005
        assert "No node answers" in away.json()["error"]["message"]
    assert await task.result("getGenesisHash") == fixed
    assert (await task.http.get("/health")).status_code == 200
    assert (await task.http.get("/ready")).status_code == 200
    again = await type(node)().start(node.port)
    try:
        assert await task.result("getBalance", key)
    finally:
        await again.stop()


@pytest.mark.parametrize(("method", "asked"), [("getBalance", 2), ("sendTransaction", 1)])
async def test_only_what_acts_is_never_sent_twice(start, node, method, asked):
    task = await start()
    node.status = 503
    assert (await task.call(method, account())).status_code == 503
    assert node.calls[method] == asked
    node.status = 200
    node.errors[method] = {"code": -32005, "message": "behind", "data": {"numSlotsBehind": 42}}
    behind = await task.call(method, account())
    assert behind.json()["error"]["data"] == {"numSlotsBehind": 42}
    assert node.calls[method] == 2 * asked


async def test_late_nodes_are_not_asked_again_and_no_more_at_once(start, node):
    node.delay = 5
    task = await start(node_timeout=0.4, node_connect_timeout=0.3, node_connections=4)
    async with waited() as passed:
        answers = await asyncio.gather(*(task.call("getBalance", account()) for _ in range(20)))
    assert passed.seconds < 3
    assert {answer.status_code for answer in answers} == {503}
    assert node.most <= 4
    assert any("all connections" in answer.text for answer in answers)


async def test_connections_are_made_anew_with_time(start, node):
    """Else a node that comes later would never be asked."""
    task = await start(node_connection_life=0.2, node_timeout=1)
    for _ in range(2):
        await task.result("getBalance", account())
        await asyncio.sleep(0.25)
    assert len(node.peers) == 2
    steady = await start(node_connection_life=600)
    for _ in range(3):
        await steady.result("getBalance", account())
    assert len(node.peers) == 3
