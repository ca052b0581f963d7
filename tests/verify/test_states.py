"""The states are whole, encrypted and where only their owner gets at them."""

import json
from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture(scope="module")
def s3(aws: Callable[[str], Any]) -> Any:
    return aws("s3")


@pytest.fixture(scope="module")
def bucket(facts: dict[str, Any]) -> str:
    return facts["state_bucket"]


def test_every_state_lies_in_the_bucket_encrypted(
    s3: Any, bucket: str, facts: dict[str, Any], outputs: dict[str, Any], stack: str
) -> None:
    head = s3.head_object(Bucket=bucket, Key=f"{facts['environment']}/{stack}.tfstate")
    assert head["ServerSideEncryption"] == "aws:kms"
    assert head["SSEKMSKeyId"] == outputs["bootstrap"]["kms_key_arn"]


def test_no_state_is_locked(s3: Any, bucket: str, facts: dict[str, Any], stack: str) -> None:
    key = f"{facts['environment']}/{stack}.tfstate.tflock"
    assert s3.list_objects_v2(Bucket=bucket, Prefix=key)["KeyCount"] == 0


def test_the_bucket_keeps_versions(s3: Any, bucket: str) -> None:
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"


def test_the_bucket_is_not_public(s3: Any, bucket: str) -> None:
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert all(
        block[name]
        for name in (
            "BlockPublicAcls",
            "IgnorePublicAcls",
            "BlockPublicPolicy",
            "RestrictPublicBuckets",
        )
    )


def test_the_bucket_refuses_plain_http(s3: Any, bucket: str) -> None:
    policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    denied = [
        statement
        for statement in policy["Statement"]
        if statement["Effect"] == "Deny"
        and statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport") == "false"
    ]
    assert denied


def test_the_bucket_lets_old_versions_go(s3: Any, bucket: str) -> None:
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert any(
        rule["Status"] == "Enabled" and "NoncurrentVersionExpiration" in rule for rule in rules
    )


def test_the_lock_table_can_be_restored_and_is_protected(
    aws: Callable[[str], Any], facts: dict[str, Any]
) -> None:
    name = facts["lock_table"]
    backups = aws("dynamodb").describe_continuous_backups(TableName=name)
    recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"
    table = aws("dynamodb").describe_table(TableName=name)["Table"]
    assert table.get("DeletionProtectionEnabled", False) is facts["deletion_protection"]
