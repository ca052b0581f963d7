"""Only the locks that the dead run of this machine took are released."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
from ansible_collections.drydock.ops.plugins.module_utils.state_locks import StateStore
from ansible_collections.drydock.ops.plugins.modules import state_lock

KEY = "dev/data.tfstate"
SINCE = "2026-01-02T03:04:05Z"


def info(who: str, created: str) -> dict[str, str]:
    return {"ID": "6a", "Who": who, "Created": created, "Operation": "OperationTypeApply"}


@pytest.mark.parametrize(
    ("who", "created", "left_over"),
    [
        (f"ann@{socket.gethostname()}", "2026-01-02 03:04:05.678901234 +0000 UTC", True),
        (f"ann@{socket.gethostname()}", "2026-01-02T03:30:00.1Z", True),
        (f"ann@{socket.gethostname()}", "2026-01-02T03:04:04.9Z", False),
        ("ann@elsewhere", "2026-01-02T03:30:00Z", False),
    ],
)
def test_what_counts_as_left_over(who: str, created: str, left_over: bool) -> None:
    lock = info(who, created)
    assert state_lock.is_left_over(lock, socket.gethostname(), SINCE) is left_over


def test_both_kinds_of_lock_are_found_and_released(aws: Any, table: Any) -> None:
    dynamodb, name = table
    s3 = aws("s3")
    s3.create_bucket(Bucket="states")
    raw = json.dumps(info("ann@here", SINCE))
    item = {"LockID": {"S": f"states/{KEY}"}, "Info": {"S": raw}}
    digest = {"LockID": {"S": f"states/{KEY}-md5"}, "Digest": {"S": "x"}}
    dynamodb.put_item(TableName=name, Item=item)
    dynamodb.put_item(TableName=name, Item=digest)
    s3.put_object(Bucket="states", Key=f"{KEY}.tflock", Body=raw)
    store = StateStore(dynamodb, s3, name, "states")
    found = store.locks(KEY)
    assert [lock["kind"] for lock in found] == ["table", "file"]
    assert [store.release(KEY, lock) for lock in found] == [True, True]
    assert store.locks(KEY) == []
    assert dynamodb.scan(TableName=name)["Items"] == [digest]


def test_a_lock_that_changed_hands_is_not_released(aws: Any, table: Any) -> None:
    dynamodb, name = table
    s3 = aws("s3")
    s3.create_bucket(Bucket="states")
    raw = json.dumps(info("ann@here", SINCE))
    dynamodb.put_item(TableName=name, Item={"LockID": {"S": f"states/{KEY}"}, "Info": {"S": raw}})
    s3.put_object(Bucket="states", Key=f"{KEY}.tflock", Body=raw)
    store = StateStore(dynamodb, s3, name, "states")
    for kind in ("table", "file"):
        assert store.release(KEY, {"kind": kind, "raw": "old"}) is False
    assert len(store.locks(KEY)) == 2
