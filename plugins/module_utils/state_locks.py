"""Locks of Terraform's states: both kinds that the S3 backend takes, who holds one, and whether
that is known to be dead.

Facts (Terraform 1.11, internal/backend/remote-state/s3/client.go): the item `BUCKET/KEY` of the
lock table holds the lock's info as JSON, the object `KEY.tflock` too; the item `BUCKET/KEY-md5`
holds the MD5 of the state, which is written after the state itself. A lock's info names user and
machine, not the process.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.drydock.ops.plugins.module_utils.aws import error_code
from ansible_collections.drydock.ops.plugins.module_utils.runs import PROC, process_start

ABSENT = {"NoSuchKey", "404", "NoSuchBucket", "ResourceNotFoundException"}
# Versions of a state that are looked through for the one that a digest belongs to.
VERSIONS = 10


def parse_time(text: str) -> datetime:
    """Read Terraform's or our own time (UTC), cut to whole seconds."""
    return datetime.fromisoformat(
        re.sub(r"\.\d+", "", text).replace(" UTC", "").replace(" +0000", "+00:00")
    )


def state_key(environment: str, stack: str) -> str:
    """Return the key of a stack's state in the bucket, as the inventory's state_backend sets it."""
    return f"{environment}/{stack}.tfstate"


class StateStore:
    """Where the states of one environment and their locks lie: a bucket and a table."""

    def __init__(self, dynamodb: Any, s3: Any, table: str, bucket: str) -> None:
        """dynamodb, s3: boto3 clients."""
        self.dynamodb, self.s3, self.table, self.bucket = dynamodb, s3, table, bucket

    def item(self, name: str) -> dict[str, Any]:
        """Return an item of the lock table as DynamoDB holds it; empty when there is none."""
        answer = self.dynamodb.get_item(
            TableName=self.table, Key={"LockID": {"S": name}}, ConsistentRead=True
        )
        return answer.get("Item", {})

    def body(self, key: str, version: str | None = None) -> bytes | None:
        """Return an object's content; None when there is none."""
        chosen = {"VersionId": version} if version else {}
        try:
            return self.s3.get_object(Bucket=self.bucket, Key=key, **chosen)["Body"].read()
        except Exception as error:
            if error_code(error) not in ABSENT:
                raise
            return None

    def locks(self, key: str) -> list[dict[str, Any]]:
        """Return the locks of one state as [{kind, info, raw}]; raw is what lay there."""
        found = []
        raw = self.item(f"{self.bucket}/{key}").get("Info", {}).get("S")
        if raw:
            found.append({"kind": "table", "info": json.loads(raw), "raw": raw})
        if body := self.body(f"{key}.tflock"):
            text = body.decode()
            found.append({"kind": "file", "info": json.loads(text), "raw": text})
        return found

    def release(self, key: str, lock: dict[str, Any]) -> bool:
        """Remove one lock if it is still the one that was seen. Returns whether it was."""
        if lock["kind"] == "table":
            try:
                self.dynamodb.delete_item(
                    TableName=self.table,
                    Key={"LockID": {"S": f"{self.bucket}/{key}"}},
                    ConditionExpression="Info = :seen",
                    ExpressionAttributeValues={":seen": {"S": lock["raw"]}},
                )
            except Exception as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise
                return False
            return True
        body = self.body(f"{key}.tflock")
        if body is None or body.decode() != lock["raw"]:
            return False
        self.s3.delete_object(Bucket=self.bucket, Key=f"{key}.tflock")
        return True

    def stale_digest(self, key: str) -> dict[str, Any]:
        """Return {noted, found, behind} where the noted MD5 is not the state's; else empty.

        noted: the table's, found: the state's own (None without a state). behind: the note
        belongs to an earlier version of the same state, so the state was written and the note of
        it was not: what a terraform leaves that was killed between the two.
        """
        noted = self.item(f"{self.bucket}/{key}-md5").get("Digest", {}).get("S")
        body = self.body(key)
        found = hashlib.md5(body).hexdigest() if body is not None else None  # noqa: S324 Terraform's
        if not noted or noted == found:
            return {}
        return {
            "noted": noted,
            "found": found,
            "behind": body is not None and self._earlier(key, noted, body),
        }

    def _earlier(self, key: str, digest: str, body: bytes) -> bool:
        now = _identity(body)
        answer = self.s3.list_object_versions(Bucket=self.bucket, Prefix=key)
        versions = [one for one in answer.get("Versions", []) if one["Key"] == key]
        for one in versions[:VERSIONS]:
            old = self.body(key, one["VersionId"])
            if old is not None and hashlib.md5(old).hexdigest() == digest:  # noqa: S324
                was = _identity(old)
                return bool(now and was) and now[0] == was[0] and now[1] > was[1]
        return False

    def note_digest(self, key: str, seen: dict[str, Any]) -> None:
        """Note the MD5 of the state as it is, if the note is still the one that was seen."""
        self.dynamodb.put_item(**self.digest_call(key, seen["found"], seen["noted"]))

    def digest_call(self, key: str, digest: str, instead_of: str) -> dict[str, Any]:
        """Return the parameters of the PutItem that notes a digest instead of another.

        They are right also where the new one is noted already.
        """
        return {
            "TableName": self.table,
            "Item": {"LockID": {"S": f"{self.bucket}/{key}-md5"}, "Digest": {"S": digest}},
            "ConditionExpression": "Digest IN (:old, :new)",
            "ExpressionAttributeValues": {":old": {"S": instead_of}, ":new": {"S": digest}},
        }


def _identity(body: bytes) -> tuple[str, int] | None:
    """Return (lineage, serial) of a state; None where it can't be read as one."""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        state = json.loads(body)
        return str(state["lineage"]), int(state["serial"])
    return None


def _backend(data_dir: Path) -> dict[str, Any]:
    """Return the backend that a TF_DATA_DIR is initialised for; empty where it is for none.

    Raises PermissionError where that may not be read.
    """
    try:
        found = json.loads((data_dir / "terraform.tfstate").read_text()).get("backend") or {}
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return found.get("config") or {}


def _boot_time() -> int:
    """Return when this machine started, in seconds since the epoch; 0 where that is unknown."""
    with contextlib.suppress(OSError):
        for line in (PROC / "stat").read_text().splitlines():
            if line.startswith("btime "):
                return int(line.split()[1])
    return 0


def _started(pid: int) -> datetime:
    ticks = int(process_start(pid) or 0)
    return datetime.fromtimestamp(_boot_time() + ticks / os.sysconf("SC_CLK_TCK"), UTC)


def possible_holders(bucket: str, key: str, created: str) -> Iterator[tuple[int, str]]:
    """Yield (PID, folder) of each terraform of this machine that may hold a state's lock.

    That is one that was there when the lock was taken and works with that very state; where its
    folder may not be read, that can't be known, so it may. created: the lock's time.
    """
    taken = parse_time(created).timestamp() + 1  # both are cut to whole seconds
    for entry in PROC.glob("[0-9]*"):
        pid = int(entry.name)
        try:
            if (entry / "comm").read_text().strip() != "terraform" or not process_start(pid):
                continue
            # /proc changes with the process: read all of it before anything is judged.
            folder = (entry / "cwd").readlink()
            variables = dict(
                variable.partition("=")[::2]
                for variable in os.fsdecode((entry / "environ").read_bytes()).split("\0")
            )
            backend = _backend(folder / variables.get("TF_DATA_DIR", ".terraform"))
        except PermissionError:
            yield pid, "a folder that may not be read"
            continue
        except OSError:
            continue  # it has ended meanwhile
        elsewhere = variables.get("AWS_ENDPOINT_URL", "") != os.environ.get("AWS_ENDPOINT_URL", "")
        same = (backend.get("bucket"), backend.get("key")) == (bucket, key)
        if same and not elsewhere and _started(pid).timestamp() <= taken:
            yield pid, str(folder)
