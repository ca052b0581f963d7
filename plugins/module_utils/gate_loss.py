"""What a plan would take away: resources that hold data, and the protection of data.

Deletes, replacements in both orders, resources that Terraform would forget, and changes in place
that give up a protection. What holds no data (rules, task definitions, alarms) may go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# Types that hold data or are the key to it.
STATEFUL = {
    "aws_db_instance", "aws_rds_cluster", "aws_rds_cluster_instance", "aws_rds_global_cluster",
    "aws_db_snapshot", "aws_db_cluster_snapshot", "aws_docdb_cluster", "aws_neptune_cluster",
    "aws_redshift_cluster", "aws_redshiftserverless_namespace", "aws_dynamodb_table",
    "aws_dynamodb_table_replica", "aws_dynamodb_global_table", "aws_elasticache_cluster",
    "aws_elasticache_replication_group", "aws_elasticache_serverless_cache",
    "aws_elasticache_global_replication_group", "aws_memorydb_cluster", "aws_opensearch_domain",
    "aws_keyspaces_table", "aws_timestreamwrite_table", "aws_timestreamwrite_database",
    "aws_s3_bucket", "aws_s3_directory_bucket", "aws_s3tables_table_bucket",
    "aws_glacier_vault", "aws_efs_file_system", "aws_fsx_lustre_file_system",
    "aws_fsx_ontap_file_system", "aws_fsx_openzfs_file_system", "aws_fsx_windows_file_system",
    "aws_ebs_volume", "aws_ebs_snapshot", "aws_ami", "aws_kms_key", "aws_kms_external_key",
    "aws_kms_replica_key", "aws_kms_replica_external_key", "aws_secretsmanager_secret",
    "aws_kinesis_stream", "aws_kinesis_firehose_delivery_stream", "aws_msk_cluster",
    "aws_msk_serverless_cluster", "aws_mq_broker", "aws_sqs_queue", "aws_ecr_repository",
    "aws_backup_vault", "aws_cloudwatch_log_group", "aws_cloudtrail_event_data_store",
    "aws_route53_zone", "aws_cognito_user_pool", "aws_codecommit_repository", "aws_qldb_ledger",
}  # fmt: skip
# Types that watch over data: to take one away for good counts, to replace one does not.
GUARDS = {
    "aws_cloudtrail", "aws_guardduty_detector", "aws_config_configuration_recorder",
    "aws_config_configuration_recorder_status", "aws_securityhub_account", "aws_flow_log",
    "aws_accessanalyzer_analyzer", "aws_backup_plan", "aws_backup_selection",
    "aws_backup_vault_lock_configuration", "aws_wafv2_web_acl_association",
    "aws_s3_bucket_replication_configuration", "aws_s3_bucket_versioning",
    "aws_s3_bucket_public_access_block", "aws_s3_account_public_access_block",
    "aws_db_instance_automated_backups_replication", "aws_s3_bucket_object_lock_configuration",
    "aws_ebs_encryption_by_default",
}  # fmt: skip
ON, LESS = "was on and would be off", "would be less"
# Changes in place that give up what protects data: type → path → (what counts, for people).
WEAKENED: dict[str, dict[str, str]] = {
    "aws_db_instance": {"deletion_protection": ON, "backup_retention_period": LESS},
    "aws_rds_cluster": {"deletion_protection": ON, "backup_retention_period": LESS},
    "aws_docdb_cluster": {"deletion_protection": ON, "backup_retention_period": LESS},
    "aws_neptune_cluster": {"deletion_protection": ON, "backup_retention_period": LESS},
    "aws_dynamodb_table": {
        "deletion_protection_enabled": ON,
        "point_in_time_recovery.0.enabled": ON,
    },
    "aws_kms_key": {
        "is_enabled": ON, "enable_key_rotation": ON, "deletion_window_in_days": LESS,
    },
    "aws_elasticache_replication_group": {"snapshot_retention_limit": LESS},
    "aws_kinesis_stream": {"retention_period": LESS},
    "aws_s3_bucket_versioning": {"versioning_configuration.0.status": "would no longer be Enabled"},
    "aws_cloudtrail": {"enable_logging": ON, "enable_log_file_validation": ON},
    "aws_guardduty_detector": {"enable": ON},
    "aws_config_configuration_recorder_status": {"is_enabled": ON},
    "aws_lb": {"enable_deletion_protection": ON},
    "aws_cognito_user_pool": {"deletion_protection": "would no longer be ACTIVE"},
}  # fmt: skip
LOOSENED = ("skip_final_snapshot", "force_destroy", "force_delete", "delete_automated_backups")
# Their major versions have no way back.
VERSIONED = {"aws_db_instance", "aws_rds_cluster", "aws_elasticache_replication_group"}


@dataclass(frozen=True)
class Loss:
    """One thing that would be taken away."""

    address: str
    what: str


def _at(value: Any, path: str) -> Any:
    for step in path.split("."):
        if isinstance(value, list):
            value = value[int(step)] if step.isdigit() and int(step) < len(value) else None
        elif isinstance(value, Mapping):
            value = value.get(step)
        else:
            return None
    return value


def _weakened(type_: str, change: Mapping[str, Any]) -> Iterator[str]:
    """Yield what protection a change in place gives up."""
    before, after = change.get("before") or {}, change.get("after") or {}
    unknown = change.get("after_unknown") or {}
    for path, how in WEAKENED.get(type_, {}).items():
        old, new = _at(before, path), _at(after, path)
        name = path.replace(".0", "")
        hidden = _at(unknown, path) is True or _at(unknown, path.partition(".")[0]) is True
        if hidden:
            if old:
                yield f"{name} can't be known before the apply and was {old}"
        elif how == LESS:
            if isinstance(old, int | float) and (new or 0) < old:
                yield f"{name} would go from {old} to {new or 0}"
        elif how == ON:
            if old is True and new is not True:
                yield f"{name} {how}"
        elif str(old).upper() in ("ENABLED", "ACTIVE") and new != old:
            yield f"{name} {how}"
    if type_ in STATEFUL:
        for name in LOOSENED:
            if before.get(name) is False and (after.get(name) is True or unknown.get(name) is True):
                yield f"{name} would be turned on"
    if type_ in VERSIONED:
        old, new = (str(side.get("engine_version") or "") for side in (before, after))
        if old and new and old.split(".")[0] != new.split(".")[0]:
            yield f"engine_version would go from {old} to {new}, which has no way back"


def _gone(plan: Mapping[str, Any]) -> set[str]:
    """Return addresses that were deleted outside Terraform."""
    return {
        entry["address"]
        for entry in plan.get("resource_drift") or []
        if entry.get("mode") != "data" and entry["change"]["actions"] == ["delete"]
    }


WORDS = {
    ("delete",): "it holds data and would be destroyed",
    ("delete", "create"): "it holds data and would be replaced (destroyed, then made anew, empty)",
    ("create", "delete"): "it holds data and would be replaced (made anew, empty, then destroyed)",
    ("forget",): "it holds data and Terraform would forget it",
    ("create", "forget"): "it holds data and would be made anew, empty, and the old one forgotten",
}


def losses(plan: Mapping[str, Any]) -> list[Loss]:
    """Return what a plan would take away, one entry per resource."""
    gone = _gone(plan)
    found: list[Loss] = []
    for entry in plan.get("resource_changes") or []:
        if entry.get("mode") == "data":
            continue
        type_, change, address = entry["type"], entry["change"], entry["address"]
        actions = tuple(change["actions"])
        if entry.get("deposed"):
            address += f" (deposed object {entry['deposed']})"
        if type_ in STATEFUL and actions in WORDS:
            forced = ", ".join(
                ".".join(str(step) for step in steps) for steps in change.get("replace_paths") or []
            )
            tainted = entry.get("action_reason") == "replace_because_tainted"
            why = (
                ", because it is tainted" if tainted else f", forced by {forced}" if forced else ""
            )
            found.append(Loss(address, WORDS[actions] + why))
        elif type_ in STATEFUL and actions == ("create",) and address in gone:
            found.append(
                Loss(address, "it was deleted outside Terraform and would be made anew, empty")
            )
        elif type_ in GUARDS and actions in (("delete",), ("forget",)):
            found.append(Loss(address, "it watches over data and would be taken away"))
        elif "update" in actions:
            weaker = list(_weakened(type_, change))
            if weaker:
                found.append(Loss(address, "; ".join(weaker)))
    return found
