"""Locks are released where their terraform is known to be dead, and nowhere else."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.drydock.ops.plugins.module_utils import runs, state_locks
from ansible_collections.drydock.ops.plugins.module_utils.journal import Journal
from ansible_collections.drydock.ops.plugins.module_utils.locks import EnvironmentLock, LockRefused
from ansible_collections.drydock.ops.plugins.modules import stuck_state_locks

KEY, STACK = "dev/data.tfstate", "data"
CREATED = "2026-01-02T03:04:05.678Z"
HERE = f"ann@{socket.gethostname()}"


@pytest.fixture
def store(aws: Any, table: Any) -> state_locks.StateStore:
    dynamodb, name = table
    s3 = aws("s3")
    s3.create_bucket(Bucket="states")
    s3.put_bucket_versioning(Bucket="states", VersioningConfiguration={"Status": "Enabled"})
    return state_locks.StateStore(dynamodb, s3, name, "states")


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /proc of the test's own, empty but for the time of boot."""
    folder = tmp_path / "proc"
    folder.mkdir()
    (folder / "stat").write_text("cpu 1 2\nbtime 1000\n")
    monkeypatch.setattr(state_locks, "PROC", folder)
    monkeypatch.setattr(runs, "PROC", folder)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    return folder


def process(proc: Path, pid: int, backend: dict[str, Any] | None, **given: Any) -> None:
    """A terraform in /proc, with the folder that it is initialised in."""
    work = proc.parent / f"work{pid}"
    (work / ".terraform").mkdir(parents=True)
    if backend is not None:
        text = json.dumps({"backend": {"type": "s3", "config": backend}})
        (work / ".terraform/terraform.tfstate").write_text(text)
    entry = proc / str(pid)
    entry.mkdir()
    (entry / "comm").write_text(given.get("comm", "terraform"))
    (entry / "cwd").symlink_to(work)
    variables = given.get("environ", {})
    (entry / "environ").write_text("\0".join(f"{k}={v}" for k, v in variables.items()))
    fields = ["S", *["0"] * 18, str(given.get("ticks", 100)), "0"]
    (entry / "stat").write_text(f"{pid} (terraform) {' '.join(fields)}")


def lock(store: state_locks.StateStore, who: str, key: str = KEY) -> None:
    info = {"ID": "6a", "Who": who, "Created": CREATED, "Operation": "OperationTypeApply"}
    raw = json.dumps(info)
    store.dynamodb.put_item(
        TableName=store.table, Item={"LockID": {"S": f"states/{key}"}, "Info": {"S": raw}}
    )
    store.s3.put_object(Bucket="states", Key=f"{key}.tflock", Body=raw)


def repair(store: state_locks.StateStore, dead_holder: str = "") -> stuck_state_locks.Repair:
    want = {
        "environment": "dev",
        "stacks": [STACK],
        "bucket": "states",
        "table": store.table,
        "region": "us-east-1",
        "dead_holder": dead_holder,
    }
    return stuck_state_locks.Repair(want, store)


def verdicts(store: state_locks.StateStore, dead_holder: str = "") -> list[str]:
    return [one["verdict"] for one in repair(store, dead_holder).look()]


MINE = {"bucket": "states", "key": KEY}


@pytest.mark.parametrize(
    ("backend", "given", "alive"),
    [
        (MINE, {}, True),
        ({"bucket": "states", "key": "dev/foundation.tfstate"}, {}, False),
        ({"bucket": "others", "key": KEY}, {}, False),
        (None, {}, False),  # initialised for no backend, as for `terraform test`
        (MINE, {"comm": "bash"}, False),
        (MINE, {"environ": {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}}, False),
        (MINE, {"ticks": 10**13}, False),  # it began after the lock was taken
    ],
)
def test_a_lock_of_this_machine_is_dead_where_no_terraform_works_with_its_state(
    store: Any, proc: Path, backend: Any, given: dict[str, Any], alive: bool
) -> None:
    lock(store, HERE)
    process(proc, 4711, backend, **given)
    assert verdicts(store) == [("alive" if alive else "dead")] * 2


def test_a_terraform_that_can_t_be_looked_into_may_hold_any_lock(
    store: Any, proc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_folder: Path) -> dict[str, Any]:
        raise PermissionError

    lock(store, HERE)
    process(proc, 4711, MINE)
    monkeypatch.setattr(state_locks, "_backend", refuse)
    assert verdicts(store) == ["alive", "alive"]


@pytest.mark.parametrize(
    ("said", "verdict"),
    [("", "unknown"), ("bob@elsewhere", "unknown"), ("ann@elsewhere", "dead")],
)
def test_a_lock_of_another_machine_is_dead_when_somebody_says_so_by_name(
    store: Any, proc: Path, said: str, verdict: str
) -> None:
    lock(store, "ann@elsewhere")
    assert verdicts(store, said) == [verdict] * 2


def test_nobody_s_word_counts_for_a_terraform_that_is_seen_to_live(store: Any, proc: Path) -> None:
    lock(store, HERE)
    process(proc, 4711, MINE)
    assert verdicts(store, HERE) == ["alive", "alive"]


def journal(store: Any) -> Journal:
    made = Journal(store.dynamodb, store.table, "dev", runs.Run.current())
    made.open("state-lock-stuck")
    return made


def test_what_is_dead_is_released_and_the_rest_is_left(store: Any, proc: Path) -> None:
    lock(store, HERE)
    lock(store, "ann@elsewhere", "dev/foundation.tfstate")
    wanted = repair(store)
    wanted.want["stacks"] = [STACK, "foundation"]
    steps = journal(store)
    said = wanted.mend(wanted.look(), steps)
    assert said == [f"release lock 6a ({kind}) of data: done" for kind in ("table", "file")]
    assert store.locks(KEY) == []
    assert len(store.locks("dev/foundation.tfstate")) == 2
    # What was released stays so, whatever fails later.
    assert steps.unfinished() == []


def test_a_lock_that_changed_hands_after_the_look_is_left(store: Any, proc: Path) -> None:
    lock(store, HERE)
    wanted = repair(store)
    findings = wanted.look()
    lock(store, "bob@elsewhere")
    said = wanted.mend(findings, journal(store))
    assert all("changed hands" in text for text in said)
    assert len(store.locks(KEY)) == 2


def put_state(store: Any, serial: int, lineage: str = "l") -> str:
    body = json.dumps({"lineage": lineage, "serial": serial, "resources": []}).encode()
    store.s3.put_object(Bucket="states", Key=KEY, Body=body)
    return hashlib.md5(body).hexdigest()  # noqa: S324 (Terraform's choice)


def note(store: Any, digest: str) -> None:
    store.dynamodb.put_item(
        TableName=store.table,
        Item={"LockID": {"S": f"states/{KEY}-md5"}, "Digest": {"S": digest}},
    )


def test_a_digest_of_the_version_before_is_noted_anew_and_can_be_put_back(
    store: Any, proc: Path
) -> None:
    old, new = put_state(store, 1), put_state(store, 2)
    note(store, old)
    wanted, steps = repair(store), journal(store)
    findings = wanted.look()
    assert [one["verdict"] for one in findings] == ["dead"]
    wanted.mend(findings, steps)
    assert store.stale_digest(KEY) == {}
    assert store.item(f"states/{KEY}-md5")["Digest"]["S"] == new
    assert [one["undone"] for one in steps.undo(lambda *_: store.dynamodb)] == [True]
    assert store.item(f"states/{KEY}-md5")["Digest"]["S"] == old


@pytest.mark.parametrize(
    "case", ["of no version", "of a newer one", "of another state", "no state"]
)
def test_any_other_digest_is_left_to_people(store: Any, proc: Path, case: str) -> None:
    if case == "of no version":
        put_state(store, 1)
        note(store, "0" * 32)
    elif case == "of a newer one":  # somebody brought an old state back
        note(store, put_state(store, 2))
        put_state(store, 1)
    elif case == "of another state":
        note(store, put_state(store, 1, "other"))
        put_state(store, 2)
    else:
        note(store, "0" * 32)
    assert verdicts(store) == ["unknown"]


def test_while_a_lock_is_held_by_the_living_the_digest_is_no_finding(
    store: Any, proc: Path
) -> None:
    lock(store, "ann@elsewhere")
    note(store, put_state(store, 1))
    put_state(store, 2)
    assert verdicts(store) == ["unknown", "unknown"]


def lease(table: Any, **given: Any) -> EnvironmentLock:
    facts = {"user": "ann", "host": "ops1", "machine": "m2", "boot": "b2", "namespace": "n",
             "pid": 7, "started": "1"}  # fmt: skip
    return EnvironmentLock(table, "dev", runs.Run(**{**facts, **given}), "/nowhere")


def test_the_lease_of_another_machine_is_taken_over_at_somebody_s_word(table: Any) -> None:
    lease(table).acquire("provision", 60)
    here = lease(table, host="here", machine="m1", boot="b1")
    for said in ("", "bob@ops1", "ann@ops2"):
        with pytest.raises(LockRefused, match="dead_holder=ann@ops1"):
            here.acquire("deploy", 60, said)
    assert here.acquire("deploy", 60, "ann@ops1")["taken_over"]["holder"].startswith("ann@ops1")
    assert here.read()["expires"] > time.time()


def test_the_lease_of_a_living_run_of_this_machine_is_not(table: Any) -> None:
    alive = {"pid": os.getpid(), "started": runs.process_start(os.getpid())}
    lease(table, **alive).acquire("provision", 60)
    here = lease(table, pid=8)
    with pytest.raises(LockRefused):
        here.acquire("deploy", 60, "ann@ops1")
