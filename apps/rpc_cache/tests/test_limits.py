"""Nobody takes all of the nodes: limits of callers and methods, with and without Redis."""

import asyncio
import hashlib
import time

import pytest
from conftest import account


async def spend(task, count, caller="198.51.100.1", method="simulateTransaction"):
    """How many of `count` calls at once were let through."""
    answers = await asyncio.gather(
        *(task.call(method, account(), caller=caller) for _ in range(count))
    )
    return sum(answer.status_code == 200 for answer in answers)


async def test_a_caller_has_its_own_limit_over_all_tasks(start, node):
    settings = {"caller_rate": 50, "caller_limits": {"ip:198.51.100.7": 5}}
    here, there = await start(**settings), await start(**settings)
    begin = time.monotonic()
    through = await asyncio.gather(
        spend(here, 20, "198.51.100.7"), spend(there, 20, "198.51.100.7")
    )
    # Two seconds' worth at once, and what comes meanwhile.
    assert 10 <= sum(through) <= 11 + 5 * (time.monotonic() - begin)
    assert await spend(here, 20, "198.51.100.8") == 20


async def test_who_is_refused_is_told_for_how_long(start, node):
    here = await start(caller_limits={"ip:198.51.100.7": 0.5})
    assert await spend(here, 1, "198.51.100.7") == 1
    refused = await here.call("simulateTransaction", caller="198.51.100.7")
    assert (refused.status_code, refused.headers["Retry-After"]) in ((429, "1"), (429, "2"))
    error = refused.json()["error"]
    assert (error["code"], error["data"]["limited"]) == (-32005, "caller")
    await asyncio.sleep(error["data"]["retryAfter"] + 0.05)
    assert await spend(here, 1, "198.51.100.7") == 1


async def test_what_is_in_the_cache_costs_nothing(start, node):
    task = await start(caller_limits={"ip:198.51.100.1": 0.001}, ttl_factor=10)
    key = account()
    answers = [await task.call("getBalance", key) for _ in range(50)]
    assert {answer.status_code for answer in answers} == {200}
    assert (await task.call("getBalance", account())).status_code == 429


async def test_a_method_has_its_limit_for_all_callers_together(start, node):
    task = await start(method_limits={"simulateTransaction": 4})
    begin = time.monotonic()
    through = [await spend(task, 5, f"192.0.2.{n}") for n in range(10)]
    assert 8 <= sum(through) <= 9 + 4 * (time.monotonic() - begin)
    assert await spend(task, 5, method="sendTransaction") == 5


async def test_who_waits_for_anothers_call_does_not_fall_under_its_limit(start, node):
    task = await start(caller_limits={"ip:192.0.2.1": 0.1})
    assert await spend(task, 1, "192.0.2.1") == 1
    key = account()
    refused, answered = await asyncio.gather(
        task.call("getBalance", key, caller="192.0.2.1"),
        task.call("getBalance", key, caller="192.0.2.2"),
    )
    assert (refused.status_code, answered.status_code) == (429, 200)


async def test_without_redis_there_is_a_limit_all_the_same(start, node, redis_wire):
    task = await start(
        redis_url=redis_wire.url, redis_timeout=0.3, caller_limits={"ip:192.0.2.1": 5}
    )
    redis_wire.gone()
    begin = time.monotonic()
    through = await spend(task, 30, "192.0.2.1")
    assert 10 <= through <= 11 + 5 * (time.monotonic() - begin)


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({"X-Forwarded-For": "203.0.113.9"}, "ip:203.0.113.9"),
        # What the caller wrote itself stands before what the load balancer added.
        ({"X-Forwarded-For": "10.0.0.1, 203.0.113.9"}, "ip:203.0.113.9"),
        ({"X-Forwarded-For": "2001:db8:1:2:3::4"}, "ip:2001:db8:1:2::/64"),
        ({"X-Forwarded-For": "nonsense"}, "ip:unknown"),
        ({"X-Api-Key": "let me in", "X-Forwarded-For": "203.0.113.9"}, "key:desk"),
        # A key that nobody was given makes nobody somebody else.
        ({"X-Api-Key": "guess", "X-Forwarded-For": "203.0.113.9"}, "ip:203.0.113.9"),
    ],
)
async def test_callers_are_who_they_are(start, node, headers, name):
    digest = hashlib.sha256(b"let me in").hexdigest()
    task = await start(caller_keys={"desk": digest}, caller_limits={name: 0.1})
    calls = [
        await task.http.post("/rpc", json={"id": 1, "method": "getHealth"}, headers=headers)
        for _ in range(2)
    ]
    assert [answer.status_code for answer in calls] == [200, 429]
    assert name.removeprefix("ip:").removeprefix("key:") in calls[1].text
