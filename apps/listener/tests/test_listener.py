"""What is on the chain is in the stream, in order, whatever the node or Kinesis does."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import ONE, TWO, Faulty, Node, Place, kill, until
from ports import free_port

from listener import settings
from listener.envelope import slot_event
from listener.metrics import Metrics
from listener.node import PAGE
from listener.publish import Publisher


async def following(node: Node, count: int = 1) -> None:
    await until(lambda: node.followers == count)


async def whole(node: Node, place: Place, *accounts: str) -> None:
    """All of the chain is in the stream, and in its order."""
    for account in accounts:
        wanted = [signature for signature, _ in node.chain[account]]

        def enough(account: str = account, wanted: list[str] = wanted) -> bool:
            return len(place.signatures(account)) >= len(wanted)

        await until(enough)
        assert place.signatures(account) == wanted


async def test_what_happens_is_published_in_order(node: Node, place: Place, start):
    service, _ = start()
    await following(node)
    for _ in range(5):
        await node.transact(ONE, 2)
        await node.transact(TWO)
    await whole(node, place, ONE, TWO)
    first = place.published(ONE)[0]
    assert first["id"] == f"{first['payload']['signature']}:{ONE}"
    assert (first["key"], first["type"], first["schema_version"]) == (ONE, "logs", 1)
    assert first["payload"]["logs"] == [f"log of {first['payload']['signature']}"]
    assert first["source"] == "solana" and first["time"].endswith("+00:00")
    await until(lambda: len(place.published("slots")) == 15)
    slots = [event["slot"] for event in place.published("slots")]
    assert slots == sorted(slots)
    await until(lambda: service.state()[1]["backlog"] == 0)
    assert service.state() == (True, {"status": "ready", "role": "active", "backlog": 0})


async def test_a_connection_that_drops_leaves_no_gap(node: Node, place: Place, start):
    start()
    await following(node)
    await node.transact(ONE, 3)
    await node.drop()
    # Nobody listens while these happen.
    await node.transact(ONE, 3)
    await following(node)
    await node.transact(ONE, 3)
    await whole(node, place, ONE)
    assert "getSignaturesForAddress" in node.calls


async def test_slots_that_were_passed_over_are_paged(node: Node, place: Place, start):
    start()
    await following(node)
    await node.transact(ONE, 2)
    node.mute = True
    await node.transact(ONE, 2)
    node.slot += 5
    # The socket lives on; only the slot's parent tells that something was left out.
    await node.tick()
    await whole(node, place, ONE)


async def test_what_a_node_kept_to_itself_is_found_by_the_audit(node: Node, place: Place, start):
    service, _ = start(audit_seconds=0.2)
    await following(node)
    node.mute = True
    await node.transact(ONE, 4)
    # Each slot is heard in its turn, so that it is the audit that finds them.
    while "getTransaction" not in node.calls:
        node.slot += 1
        await node.tick()
        await asyncio.sleep(0.05)
    await whole(node, place, ONE)
    assert service._metrics.counts["Gaps"] == 0


async def test_a_successor_goes_on_where_the_dead_one_was(node: Node, place: Place, start):
    _, first = start()
    await following(node)
    await node.transact(ONE, 2)
    await whole(node, place, ONE)
    await until(lambda: place.row().get("positions", {}).get("M"))
    service, _ = start(worker_id="two")
    assert service.state()[1]["role"] == "standby"
    await kill(first)
    # More than a page of signatures, while nobody listens.
    node.mute = True
    await node.transact(ONE, PAGE // 10)
    node.mute = False
    await until(lambda: service.state()[1]["role"] == "active")
    await following(node)
    await node.transact(ONE, 2)
    await whole(node, place, ONE)
    assert place.row()["leaseOwner"]["S"] == "two"


async def test_a_drain_publishes_and_hands_over(node: Node, place: Place, start):
    service, task = start(lease_seconds=60)
    await following(node)
    await node.transact(ONE, 5)
    await until(lambda: place.signatures(ONE))
    service.stop()
    assert service.state() == (False, {"status": "draining"})
    await task
    row = place.row()
    assert "leaseOwner" not in row and int(row["positions"]["M"][ONE]["N"]) >= 100
    # At once, not after the 60 s of the lease.
    start(worker_id="two", lease_seconds=60)
    await following(node)
    await node.transact(ONE)
    await whole(node, place, ONE)


async def test_refused_records_keep_their_place(node: Node, place: Place, start, faulty: Faulty):
    start(kinesis=faulty)
    await following(node)
    for _ in range(10):
        await node.transact(ONE)
        await node.transact(TWO)
    await whole(node, place, ONE, TWO)
    assert all(len(set(keys)) == len(keys) for keys in faulty.keys)
    assert faulty.turn > 3


async def test_a_full_queue_closes_the_socket_and_loses_nothing(
    node: Node, place: Place, start, faulty: Faulty
):
    faulty.away = True
    service, _ = start(kinesis=faulty, queue_max=4, stall_seconds=0.2, publish_slots=False)
    await following(node)
    await node.transact(ONE, 12)
    # Full for longer than STALL_SECONDS: given up, and tried again.
    await until(lambda: service._metrics.counts["Reconnects"])
    assert service.state()[1]["backlog"] <= 4
    faulty.away = False
    await whole(node, place, ONE)


async def test_who_is_cancelled_while_the_queue_gets_room_ends(place: Place):
    """At whichever moment: asyncio.wait_for forgot it at one of them, and nothing ended."""
    for turns in range(12):
        free = asyncio.Event()

        class Slow:
            async def call(self, operation: str, free: asyncio.Event = free, **rows: Any) -> Any:
                await free.wait()
                return {"Records": [{} for _ in rows["Records"]]}

        publisher = Publisher(place.settings(queue_max=1), Slow(), Metrics("-"), {}, lambda: True)
        publishing = asyncio.create_task(publisher.run())
        await publisher.put(slot_event(1, 0, 0, 0))
        waiting = asyncio.create_task(publisher.put(slot_event(2, 1, 0, 0)))
        await asyncio.sleep(0.01)
        free.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        cancelled = waiting.cancel()
        await asyncio.wait({waiting})
        assert waiting.cancelled() == cancelled, f"after {turns} turns of the loop"
        await kill(publishing)


async def test_a_silent_node_is_left(node: Node, place: Place, start):
    service, _ = start(silence_seconds=0.3)
    await following(node)
    await until(lambda: service._metrics.counts["Reconnects"])


async def test_who_lost_the_lease_stands_by(node: Node, place: Place, start):
    service, _ = start(lease_seconds=1)
    await until(lambda: service.state()[1]["role"] == "active")
    place.dynamodb.update_item(
        TableName=place.name,
        Key={"leaseKey": {"S": "listener"}},
        UpdateExpression="SET leaseOwner = :other, fence = fence + :one",
        ExpressionAttributeValues={":other": {"S": "other"}, ":one": {"N": "1"}},
    )
    await until(lambda: service.state()[1]["role"] == "standby")
    # The other shows no life, so that it is taken back.
    await until(lambda: service.state()[1]["role"] == "active")


def test_wrong_settings_have_a_sentence_each(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ACCOUNTS", "0OIl")
    monkeypatch.setenv("NODE_URL", "ftp://x")
    with pytest.raises(settings.ConfigurationError) as error:
        settings.load()
    assert "'0OIl' is no address in base58" in str(error.value)
    assert "NODE_URL=ftp://x can't be used" in str(error.value)
    assert "STREAM_NAME is not set. Name the stream of events." in str(error.value)


async def test_the_process_listens_and_ends_as_asked(node: Node, place: Place):
    told = {name.upper(): value for name, value in place.variables.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "listener",
        cwd=Path(__file__).parents[1],
        env={**os.environ, **told, "TRACE_SAMPLE": "1", "PORT": str(free_port())},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        await following(node)
        await node.transact(ONE, 2)
        await whole(node, place, ONE)
        process.send_signal(signal.SIGTERM)
        output, _ = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    trace = place.published(ONE)[0]["traceparent"].split("-")[1]
    assert f'"trace_id": "{trace}"' in output.decode()
    # X-Ray refuses a trace whose first 32 bits are not its time.
    assert len(trace) == 32 and abs(int(trace[:8], 16) - time.time()) < 300
    assert '"Published"' in output.decode()
