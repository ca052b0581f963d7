"""`python -m consumer.redrive [--limit N] [--trial]`: applies the dead letters that can be by now.

By the path of any record, so that an event has its effect once however often it is redriven. A
letter that is still refused stays in the queue. Ends when the queue shows no letter that wasn't
seen yet; the last line on stdout is {"applied", "known", "refused", "reasons"}. A trial looks at as
many letters and tries one of each reason only: whether what they were refused for is mended.

Exit codes: 0 no letter was refused, 1 some were, 64 wrong arguments, 69 the database can't be had,
78 wrong configuration.
"""

import argparse
import asyncio
import json
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from consumer import logs
from consumer.__main__ import EX_CONFIG, EX_UNAVAILABLE, EX_USAGE, configured
from consumer.apply import write
from consumer.aws import Client
from consumer.database import Database, DatabaseUnreachable
from consumer.dead_letters import DeadLetters
from consumer.envelope import Poison, read, trace_of
from consumer.settings import Settings

# Longer than a whole run of refused letters takes, so that none is tried twice in it.
_HIDDEN = 120
_REDRIVEN = "UPDATE events.rejected SET redriven_at = now() WHERE shard = $1 AND sequence = $2"


async def redrive(settings: Settings, limit: int, trial: bool = False) -> dict[str, Any]:
    """Tries each letter once, at most `limit`; returns how many had which end, and why refused.

    trial: only the first letter of each reason.
    """
    threads = ThreadPoolExecutor(4)
    dead = DeadLetters(
        Client("sqs", threads), Client("kinesis", threads),
        settings.dead_letter_queue_url, settings.stream_name,
    )  # fmt: skip
    database = Database(settings)
    await database.open()
    counts, reasons = Counter(applied=0, known=0, refused=0), Counter()
    tried: set[str] = set()
    met: set[str] = set()
    left: list[dict[str, Any]] = []
    try:
        while len(tried) < limit:
            messages = await dead.receive(_HIDDEN)
            new = [one for one in messages if one["MessageId"] not in tried]
            if not new:
                break
            left += messages
            for message in new[: limit - len(tried)]:
                tried.add(message["MessageId"])
                before = reason_of(message)
                if trial and before in met:
                    continue
                met.add(before)
                outcome, reason = await _one(settings, database, dead, message)
                counts[outcome] += 1
                if outcome == "refused":
                    reasons[reason] += 1
                else:
                    left.remove(message)
    finally:
        for message in left:
            await dead.show(message)
        await database.close()
        threads.shutdown(wait=False)
    return {**counts, "reasons": dict(reasons)}


def reason_of(message: dict[str, Any]) -> str:
    """Why the letter was refused before; empty where it doesn't say."""
    try:
        return str(json.loads(message["Body"])["reason"])
    except (ValueError, KeyError, TypeError):
        return ""


async def _one(
    settings: Settings, database: Database, dead: DeadLetters, message: dict[str, Any]
) -> tuple[str, str]:
    log = logs.get(component="redrive")
    trace: dict[str, str] = {}
    try:
        record = await dead.record(message)
        trace = trace_of(record)
        event = read(record, settings.event_types)
        async with database.transaction() as connection:
            fresh = await write(connection, [(record, event)])
            await connection.execute(_REDRIVEN, record.shard, record.sequence)
    except (Poison, ValueError) as error:
        log.warning("still_refused", **trace, message_id=message["MessageId"], reason=str(error))
        return "refused", str(error)
    # After the commit: a death in between leaves a letter whose event is known then.
    await dead.delete(message)
    logs.event(log, "redriven", event)
    return ("applied" if fresh else "known"), ""


def main(arguments: list[str]) -> int:
    """Redrive once; the result is the exit code."""
    parser = argparse.ArgumentParser(prog="python -m consumer.redrive", exit_on_error=False)
    parser.add_argument("--limit", type=int, default=10_000, help="letters at most")
    parser.add_argument("--trial", action="store_true", help="one letter of each reason only")
    try:
        chosen = parser.parse_args(arguments)
    except (argparse.ArgumentError, SystemExit) as error:
        sys.stderr.write(
            f"{error}. Give --limit and a whole number, --trial or nothing. Nothing was changed.\n"
        )
        return EX_USAGE
    if (settings := configured()) is None:
        return EX_CONFIG
    try:
        found = asyncio.run(redrive(settings, chosen.limit, chosen.trial))
    except DatabaseUnreachable as error:
        logs.get().error("database_unreachable", message=str(error))
        return EX_UNAVAILABLE
    sys.stdout.write(json.dumps(found) + "\n")
    return 1 if found["refused"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
