"""All that can happen to workers at once, and a check that what went wrong would be seen."""

import base64
import json
from collections import Counter

import ordeal
from conftest import Place
from ordeal import Crew, Outcome

EVENTS, POISON, SHARDS, KILLS = 5000, 100, 4, 5


async def test_killed_frozen_and_poisoned_at_once(place, process):
    where: Place = await place(shards=SHARDS)
    sent = ordeal.events(EVENTS, POISON)
    poison = ordeal.strange(sent)
    good = [one for one in sent if one not in poison]
    where.put(*sent)
    # Small batches, so that there is something to kill for a while.
    crew = Crew(where, process, BATCH="50")
    await crew.start(3)
    endured = await ordeal.endure(where, crew, EVENTS, KILLS, freeze=True, within=240)
    assert endured.killed == KILLS
    assert endured.taken > 0, "the frozen worker had no shard: nothing was tested"
    assert await ordeal.outcome(where, good) == Outcome(EVENTS - POISON, 0, 0, 0)
    await crew.end()

    # A death between the queue's answer and the commit sends a letter twice.
    letters = {letter["sequence"]: letter for letter in where.letters()}
    assert len(letters) == POISON
    ids = set()
    for letter in letters.values():
        event = json.loads(base64.b64decode(letter["data"]))
        assert letter["reason"] == ordeal.reason(event["type"])
        ids.add(event["id"])
    assert ids == {one["id"] for one in poison}

    code, counted = await ordeal.redriven(where, process)
    assert (code, counted["applied"], counted["refused"]) == (0, POISON, 0)
    assert where.letters() == []
    assert await ordeal.outcome(where, sent, late=poison) == Outcome(EVENTS, 0, 0, 0)


def test_poison_is_spread_evenly():
    sent = ordeal.events(1000, 20)
    assert Counter(one["type"] for one in sent) == {"logs": 980, "swap": 10, "mint": 10}
    assert [one["slot"] for one in ordeal.strange(sent)] == list(range(49, 1000, 50))


async def test_faults_would_be_seen(place, process):
    where: Place = await place(shards=1)
    sent = ordeal.events(600, 0)
    where.put(*sent)
    crew = Crew(where, process)
    await crew.start()
    await ordeal.endure(where, crew, 600, kills=0, freeze=False, within=120)
    await crew.end()
    assert await ordeal.outcome(where, sent) == Outcome(600, 0, 0, 0)

    await where.sql.execute("UPDATE events.accounts SET events = events + 1 WHERE key = 'key1'")
    assert await ordeal.outcome(where, sent) == Outcome(600, 0, 1, 0)
    await where.sql.execute("UPDATE events.accounts SET events = events - 2 WHERE key = 'key1'")
    assert await ordeal.outcome(where, sent) == Outcome(600, 1, 0, 0)
    await where.sql.execute("UPDATE events.accounts SET events = events + 1 WHERE key = 'key1'")
    # Two of its key come after it.
    await where.sql.execute("UPDATE events.applied SET slot = 1000 WHERE id = 'key2-2'")
    assert await ordeal.outcome(where, sent) == Outcome(600, 0, 0, 2)
    # Late is what comes out of the dead letters, and may be.
    assert (await ordeal.outcome(where, sent, late=sent[2:3])).disorder == 0
    await where.sql.execute("DELETE FROM events.applied WHERE id = 'key2-2'")
    assert await ordeal.outcome(where, sent) == Outcome(599, 1, 0, 0)
