#!/usr/bin/python
"""Ansible module: a planned failover under write load, measured and proved to lose nothing."""

from __future__ import annotations

import contextlib
import signal
import time
import uuid
from datetime import UTC, datetime
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.drydock.ops.plugins.module_utils import failover, postgres
from ansible_collections.drydock.ops.plugins.module_utils.aws import (
    client,
    explain,
    require_boto3,
)
from ansible_collections.drydock.ops.plugins.module_utils.journal import Journal, JournalRefused
from ansible_collections.drydock.ops.plugins.module_utils.runs import Run
from ansible_collections.drydock.ops.plugins.module_utils.write_load import (
    WriteLoad,
    curve,
    measure,
    moment,
)

DOCUMENTATION = r"""
module: failover_drill
short_description: Fail a database or cache over on purpose, under write load
description:
  - Looks first whether a failover would go well (standby there and in sync, nothing pending) and
    says what speaks against it. In check mode that is all.
  - Writes from several clients into a table, or under a key prefix, of its own; starts the
    failover by AWS's own call; waits until the primary is elsewhere and available; measures for how
    long no write was acknowledged; and looks for every write that was.
  - Fails where the primary has not moved, where an acknowledged write is lost (naming them), and
    where the outage was longer than allowed. Its table or keys are removed whatever happens;
    those of a drill that was killed by the next one, keys by themselves after an hour.
options:
  target: {description: What to fail over., type: str, choices: [database, cache], required: true}
  identifier:
    description: RDS instance, or replication group of ElastiCache.
    type: str
    required: true
  clients: {description: Clients that write., type: int, default: 4}
  warm_seconds: {description: Seconds to write before and after., type: int, default: 5}
  timeout: {description: Seconds to wait for the failover., type: int, default: 600}
  outage_limit: {description: Longest outage that passes, in seconds., type: int, default: 180}
  environment: {description: Environment whose journal is kept., type: str, required: true}
  lock_table: {description: DynamoDB table of locks and journal., type: str, required: true}
  region: {description: AWS region., type: str, required: true}
attributes:
  check_mode: {support: full, details: Looks whether it is ready and shows what it would do.}
  diff_mode: {support: full}
author: [Drydock]
"""

EXAMPLES = r"""
- name: Fail the database over
  drydock.ops.failover_drill:
    target: database
    identifier: drydock-staging
    environment: staging
    lock_table: drydock-staging-tflock
    region: us-east-1
"""

RETURN = r"""
ready:
  description: Whether nothing speaks against a failover.
  type: bool
  returned: success
problems:
  description: What speaks against it, as sentences.
  type: list
  returned: success
plan:
  description: What would be, or was, done.
  type: list
  returned: success
measured:
  description: Outage, writes before and after, lost writes; empty in check mode.
  type: dict
  returned: success
"""

POLL_SECONDS = 0.5
FIRST_WRITE_SECONDS = 20
SHOWN_LOST = 50


class DrillFailed(Exception):
    """The drill did not show what it should; the text says what happened."""


class Interrupted(BaseException):
    """Somebody ended the run."""


def look(target: Any) -> dict[str, Any]:
    """Return ready, problems, plan and facts; changes nothing."""
    problems, facts = target.readiness()
    where = target.place()
    call = "RebootDBInstance with ForceFailover" if target.kind == "database" else "TestFailover"
    own = "a table of its own" if target.kind == "database" else "keys of its own (gone in an hour)"
    return {
        "changed": False,
        "ready": not problems,
        "problems": problems,
        "place": where,
        "plan": [
            f"write into {own} of {target.kind} {target.identifier} from several clients",
            f"fail it over by {call}; its primary is in {where}",
            "wait until the primary is elsewhere and available, then look for every acknowledged "
            "write and remove what was written",
        ],
        "measured": {},
        "facts": facts,
        "diff": {
            "before": f"primary of {target.identifier}: {where}\n",
            "after": f"primary of {target.identifier}: "
            f"{facts.get('standby_zone') or 'another member'}\n",
        },
    }


def drill(target: Any, want: dict[str, Any], journal: Journal) -> dict[str, Any]:
    """Fail over and return what was measured. Raises NotReady, DrillFailed, drivers' errors."""
    seen = look(target)
    if not seen["ready"]:
        raise failover.NotReady(
            f"{target.identifier} is not ready for a failover: {'; '.join(seen['problems'])}. "
            "Nothing was done."
        )
    before = seen["place"]
    load = WriteLoad(target.writer, want["clients"])
    begun = time.monotonic()
    try:
        target.prepare()
        load.start()
        if not _wait(load.acknowledged, FIRST_WRITE_SECONDS):
            raise failover.NotReady(
                f"No write to {target.identifier} was acknowledged within {FIRST_WRITE_SECONDS} s "
                f"({load.failures or 'no answer'}), so no failover was started."
            )
        time.sleep(want["warm_seconds"])
        what = f"fail over {target.kind} {target.identifier} from {before}"
        # A failover that has begun ends by itself; failing back would be a second outage.
        journal.begin(what, None, keep=True)
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        trigger = time.monotonic()
        target.trigger()
        moved = _wait(lambda: target.settled(before), want["timeout"])
        settled = time.monotonic()
        if moved:
            _wait(lambda: _recent(load, settled), want["timeout"])
            time.sleep(want["warm_seconds"])
        load.stop()
        acks = load.acknowledged()
        measured = measure(acks, trigger)
        measured["lost"] = target.lost(ack.number for ack in acks if ack.safe)
        measured |= {
            "from": before,
            "to": target.place(),
            "settled_seconds": round(settled - trigger, 1),
            "failures": load.failures,
            "curve": curve(acks, begun, time.monotonic()),
        }
        journal.done(what)
        target.clean()
        done = [
            {"at": at, "what": what, "target": target.identifier},
            {
                "at": moment(settled),
                "what": f"primary is {measured['to']}, available",
                "target": target.identifier,
            },
        ]
        return {
            **seen,
            "changed": True,
            "measured": measured,
            "fault": judge(target, measured, moved, want),
            "evidence": [summary(target, measured)],
            "runbook_evidence": {
                "actions": done,
                "states": [{"at": at, **seen["facts"]}, {**measured, "at": moment(settled)}],
                "facts": [summary(target, measured)],
            },
        }
    except BaseException:
        load.stop()
        # What went wrong first is what must be said.
        with contextlib.suppress(Exception):
            target.clean()
        raise


def judge(target: Any, measured: dict[str, Any], moved: bool, want: dict[str, Any]) -> str:
    """Return why the drill has failed; empty when it has not."""
    if not moved:
        return (
            f"The primary of {target.identifier} has not moved within {want['timeout']} s: it is "
            f"still {measured['to']}. AWS took the call but nothing happened; look at its events."
        )
    if measured["lost"]:
        shown = ", ".join(map(str, measured["lost"][:SHOWN_LOST]))
        return (
            f"{len(measured['lost'])} acknowledged writes are lost after the failover of "
            f"{target.identifier}: {shown}{', …' if len(measured['lost']) > SHOWN_LOST else ''}."
        )
    if measured["outage_seconds"] is None:
        return f"No write to {target.identifier} was acknowledged after the failover."
    if measured["outage_seconds"] > want["outage_limit"]:
        return (
            f"The write outage of {target.identifier} was {measured['outage_seconds']} s, longer "
            f"than the {want['outage_limit']} s that outage_limit allows."
        )
    return ""


def summary(target: Any, measured: dict[str, Any]) -> str:
    """Return the drill in a sentence."""
    old, new = measured["before"], measured["after"]
    return (
        f"{target.kind} {target.identifier} from {measured['from']} to {measured['to']}: no write "
        f"was acknowledged for {measured['outage_seconds']} s (for good: "
        f"{measured['unsafe_seconds']} s), {measured['safe']} acknowledged writes, "
        f"{len(measured['lost'])} lost; a write took {old['p50_ms']} ms (p99 {old['p99_ms']}) "
        f"before and {new['p50_ms']} ms (p99 {new['p99_ms']}) after"
    )


def _recent(load: WriteLoad, since: float) -> bool:
    acks = load.acknowledged()
    return bool(acks) and acks[-1].got > since and acks[-1].safe


def _wait(condition: Any, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= end:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _interrupt(number: int, _frame: Any) -> None:
    raise Interrupted(signal.Signals(number).name)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "target": {"type": "str", "choices": ["database", "cache"], "required": True},
            "identifier": {"type": "str", "required": True},
            "clients": {"type": "int", "default": 4},
            "warm_seconds": {"type": "int", "default": 5},
            "timeout": {"type": "int", "default": 600},
            "outage_limit": {"type": "int", "default": 180},
            "environment": {"type": "str", "required": True},
            "lock_table": {"type": "str", "required": True},
            "region": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    require_boto3(module)
    postgres.require_psycopg(module)
    failover.require_redis(module)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _interrupt)
    want = module.params
    doing = f"Failing over {want['target']} {want['identifier']}"
    try:
        region = want["region"]
        target = failover.target(want["target"], want["identifier"], region, uuid.uuid4().hex[:8])
        if module.check_mode:
            result = look(target)
        else:
            journal = Journal(
                client("dynamodb", region), want["lock_table"], want["environment"], Run.current()
            )
            result = drill(target, want, journal)
    except (failover.NotReady, postgres.DatabaseError, JournalRefused) as error:
        module.fail_json(msg=str(error))
    except Interrupted as error:
        module.fail_json(
            msg=f"{doing} was interrupted ({error}); a failover that AWS has begun goes on, the "
            "drill's own table and keys are removed."
        )
    except Exception as error:
        module.fail_json(msg=explain(error, doing))
    fault = result.pop("fault", "")
    if fault:
        module.fail_json(**{**result, "msg": fault})
    module.exit_json(**result)


if __name__ == "__main__":
    main()
