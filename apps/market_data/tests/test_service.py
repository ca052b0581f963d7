"""From the stream to Redis, to whoever asks and to whoever listens."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from conftest import POOL, POOLS, Place, event, serving, sold, until
from ports import free_port

from market_data import settings
from market_data.feed import Client


async def known(place: Place, price: str) -> bool:
    return (await place.price()).get("price") == price


async def test_a_swap_is_a_price_for_the_trading_api_and_for_who_asks(place: Place) -> None:
    async with serving(place.settings()) as client:
        answer = await client.get("/prices/SOL-USD")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_price")
        place.put(event(7, sold(150)))
        await until(lambda: known(place, "150"))
        kept = await place.price()
        assert set(kept) == {"price", "observed_at", "source"}
        assert kept["source"] == "market_data"
        assert 0 < await place.redis.ttl("market:1:price:SOL-USD") <= 86400
        told = (await client.get("/prices/SOL-USD")).json()
        assert (told["symbol"], told["price"]) == ("SOL-USD", "150")
        assert 0 <= told["age_seconds"] < 60
        assert [one["symbol"] for one in (await client.get("/prices")).json()["prices"]] == [
            "SOL-USD"
        ]
        unknown = await client.get("/prices/DOGE-USD", headers={"X-Request-Id": "r1"})
        assert unknown.status_code == 404
        assert unknown.json()["error"] == {
            "code": "unknown_market",
            "message": "There is no market 'DOGE-USD'; known: SOL-USD.",
            "request_id": "r1",
        }


async def test_what_is_no_price_of_ours_changes_nothing(place: Place) -> None:
    failed = event(3, sold(9))
    failed["payload"]["err"] = {"InstructionError": [0, "Custom"]}
    async with serving(place.settings()):
        place.put(
            b"{", event(1, None), event(2, sold(9) + sold(9)), failed,
            event(4, sold(9), key="other"), event(5, [], type="slot"), event(6, sold(140)),
        )  # fmt: skip
        await until(lambda: known(place, "140"))


async def test_an_old_slot_never_replaces_a_newer_one(place: Place) -> None:
    async with serving(place.settings()):
        place.put(event(10, sold(150)), event(9, sold(1)), event(10, sold(151)), event(8, sold(2)))
        place.put(event(11, sold(152)))
        await until(lambda: known(place, "152"))
    # A task that takes over begins a minute earlier, and reads all of it once more.
    async with serving(place.settings(worker_id="two")) as client:
        place.put(event(12, sold(153)))
        await until(lambda: known(place, "153"))
        assert (await client.get("/prices/SOL-USD")).json()["price"] == "153"


async def reader(place: Place) -> str:
    return await place.redis.get("market:1:reader") or ""


async def test_one_task_reads_and_another_takes_over(place: Place) -> None:
    async with serving(place.settings()), serving(place.settings(worker_id="two")) as second:
        first = await until(lambda: reader(place))
        place.put(event(1, sold(100)))
        await until(lambda: known(place, "100"))
        assert await reader(place) == first
        # Whoever reads is gone without a word: its sign of life ends.
        await place.redis.set("market:1:reader", "gone", px=300)
        place.put(event(2, sold(101)))
        await until(lambda: known(place, "101"))
        assert (await second.get("/prices/SOL-USD")).json()["price"] == "101"


async def lines(answer: httpx.Response) -> Any:
    async for line in answer.aiter_lines():
        if line:
            yield line


async def test_a_feed_begins_with_now_and_goes_on(place: Place) -> None:
    async with serving(place.settings()) as client:
        place.put(event(1, sold(100)))
        await until(lambda: known(place, "100"))
        async with client.stream("GET", "/prices/stream") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            heard = lines(answer)
            assert await anext(heard) == "retry: 1000"
            assert await anext(heard) == "event: price"
            assert json.loads((await anext(heard)).removeprefix("data: "))["price"] == "100"
            place.put(event(2, sold(101)))
            told = ""
            while "101" not in told:
                told = await asyncio.wait_for(anext(heard), 30)
            while told != ": here":  # silence is told too
                told = await asyncio.wait_for(anext(heard), 30)
            client.lifecycle.draining = True  # type: ignore[attr-defined]
            rest = [line async for line in heard]
            assert all(line == ": here" for line in rest)
        assert (await client.get("/ready")).status_code == 503
        assert (await client.get("/health")).json()["status"] == "ok"


async def test_a_task_serves_no_more_feeds_than_it_may(place: Place) -> None:
    async with serving(place.settings(clients_max=1)) as client:
        async with client.stream("GET", "/prices/stream") as first:
            await anext(first.aiter_lines())
            refused = await client.get("/prices/stream")
            assert refused.status_code == 503
            assert refused.headers["Retry-After"] == "1"

        async def room() -> bool:
            async with client.stream("GET", "/prices/stream") as again:
                return again.status_code == 200

        await until(room)


async def test_a_slow_client_is_told_the_newest_of_each_market() -> None:
    client = Client()
    for number in range(1000):
        client.tell("SOL-USD", b"%d" % number)
        client.tell("BTC-USD", b"b%d" % number)
    assert await client.take(1) == [b"999", b"b999"]
    assert await client.take(0.01) == []


async def test_without_redis_it_lives_and_says_so(place: Place) -> None:
    away = f"redis://127.0.0.1:{free_port()}/0"
    async with serving(place.settings(redis_url=away)) as client:
        assert (await client.get("/health")).status_code == 200
        assert (await client.get("/ready")).status_code == 503
        for path in ("/prices", "/prices/SOL-USD", "/prices/stream"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "prices_away")


def test_wrong_settings_have_a_sentence_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAM_NAME", "events")
    monkeypatch.setenv("REDIS_URL", "http://user:hunter2@cache/x")
    twice = {**POOLS, "other": POOLS[POOL]}
    for value, said in (
        ("{", "it is not JSON"),
        (json.dumps(twice), "two pools are of SOL-USD"),
        (json.dumps({POOL: {"symbol": "SOL"}}), "symbol"),
    ):
        monkeypatch.setenv("POOLS", value)
        with pytest.raises(settings.ConfigurationError) as error:
            settings.load()
        assert said in str(error.value)
        assert "REDIS_URL can't be used: it is no address of a Redis." in str(error.value)
        assert "hunter2" not in str(error.value)
    monkeypatch.delenv("POOLS")
    with pytest.raises(settings.ConfigurationError, match="POOLS is not set"):
        settings.load()
    monkeypatch.setenv("POOLS", json.dumps(POOLS))
    monkeypatch.setenv("REDIS_URL", "redis://user:hunter2@cache:6379/1")
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    found = settings.load()
    assert (found.log_level, found.secrets()) == ("debug", ["hunter2"])
    assert found.pools[POOL].symbol == "SOL-USD"
