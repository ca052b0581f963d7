"""RDS: automated backups that are replicated into another region (moto 5.2 lacks the calls).

The copy is a record, like every snapshot here: nothing can be restored from it.
"""

import uuid
from typing import Any

from moto.backends import get_backend

from drydock.errors import ApiError
from drydock.moto.api import PASS, Context, Handler
from drydock.moto.shelf import Shelf

_COPIES = Shelf("automated backup", missing="DBInstanceAutomatedBackupNotFound")


def operations() -> dict[tuple[str, str], Handler]:
    return {
        ("rds", "StartDBInstanceAutomatedBackupsReplication"): _start,
        ("rds", "StopDBInstanceAutomatedBackupsReplication"): _stop,
        ("rds", "DescribeDBInstanceAutomatedBackups"): _describe,
        ("rds", "DeleteDBInstanceAutomatedBackup"): _delete,
    }


def _start(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    source = given["SourceDBInstanceArn"]
    region, name = source.split(":")[3], source.split(":")[-1]
    database = get_backend("rds")[context.account_id][region].databases.get(name)
    if database is None:
        raise ApiError("DBInstanceNotFound", f"DBInstance {name} not found.", 404)
    if region == context.region or not database.backup_retention_period:
        raise ApiError(
            "InvalidDBInstanceState",
            f"{name} keeps no backups, or is in {region} itself, so there is nothing to replicate.",
        )
    if any(c["DBInstanceArn"] == source and _runs(c) for c in _COPIES.list(context)):
        raise ApiError("DBInstanceAutomatedBackupQuotaExceeded", f"{name} is replicated already.")
    arn = context.arn("rds", f"auto-backup:ab-{uuid.uuid4().hex[:30]}")
    copy = {
        "DBInstanceArn": source,
        "DBInstanceIdentifier": name,
        "DbiResourceId": database.dbi_resource_id,
        "DBInstanceAutomatedBackupsArn": arn,
        "Region": region,
        "Status": "replicating",
        "BackupRetentionPeriod": given.get("BackupRetentionPeriod", 7),
        "Engine": database.engine,
        "Encrypted": bool(database.storage_encrypted),
        "KmsKeyId": given.get("KmsKeyId"),
    }
    return {"DBInstanceAutomatedBackup": _COPIES.add(context, arn, copy)}


def _runs(copy: dict[str, Any]) -> bool:
    return copy["Status"] == "replicating"


def _stop(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    for copy in _COPIES.list(context):
        if copy["DBInstanceArn"] == given["SourceDBInstanceArn"] and _runs(copy):
            copy["Status"] = "retained"
            return {"DBInstanceAutomatedBackup": copy}
    raise ApiError("DBInstanceNotFound", f"{given['SourceDBInstanceArn']} is not replicated.", 404)


def _describe(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    if arn := given.get("DBInstanceAutomatedBackupsArn"):
        return {"DBInstanceAutomatedBackups": [_COPIES.get(context, arn)]}
    return PASS


def _delete(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    arn = given.get("DBInstanceAutomatedBackupsArn", "")
    copy = _COPIES.get(context, arn)
    if _runs(copy):
        raise ApiError("InvalidDBInstanceAutomatedBackupState", f"{arn} is still replicated.")
    return {"DBInstanceAutomatedBackup": _COPIES.delete(context, arn)}
