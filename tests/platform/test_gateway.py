"""The endpoint itself: audit, refusals, errors that name the call."""

import botocore.exceptions
import pytest

from drydock import audit

from .conftest import free_range


def test_audit_tells_reads_from_changes_and_holds_no_parameter(cloud):
    path = cloud.settings.audit
    mark = audit.mark(path)
    ssm = cloud.client("ssm")
    ssm.put_parameter(Name="/tests/audit", Value="planted-7f3a", Type="SecureString")
    ssm.get_parameter(Name="/tests/audit", WithDecryption=True)
    ssm.delete_parameter(Name="/tests/audit")
    rows = [row for row in audit.read(path, mark) if row["service"] == "ssm"]
    assert [(row["action"], row["mutating"]) for row in rows] == [
        ("PutParameter", True),
        ("GetParameter", False),
        ("DeleteParameter", True),
    ]
    assert rows[0]["caller"]["access_key"] == "tests"
    assert "planted-7f3a" not in path.read_text()


def test_rest_calls_are_named_from_their_path(cloud):
    path = cloud.settings.audit
    mark = audit.mark(path)
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="tests-audit")
    s3.put_object(Bucket="tests-audit", Key="a/b", Body=b"x")
    s3.list_objects_v2(Bucket="tests-audit")
    s3.delete_object(Bucket="tests-audit", Key="a/b")
    s3.delete_bucket(Bucket="tests-audit")
    rows = [row for row in audit.read(path, mark) if row["service"] == "s3"]
    assert [(row["action"], row["mutating"]) for row in rows] == [
        ("CreateBucket", True),
        ("PutObject", True),
        ("ListObjectsV2", False),
        ("DeleteObject", True),
        ("DeleteBucket", True),
    ]


def test_a_call_that_is_missing_is_refused_once_and_named(cloud):
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        cloud.client("braket").search_jobs(filters=[])
    assert refused.value.response["Error"]["Code"] == "NotImplemented"
    assert "braket:SearchJobs" in str(refused.value)
    assert refused.value.response["ResponseMetadata"]["RetryAttempts"] == 0


def test_what_a_query_service_lacks_is_said_in_its_own_format(cloud):
    with pytest.raises(botocore.exceptions.ClientError, match="rds:CreateIntegration"):
        cloud.client("rds").create_integration(
            SourceArn="arn:aws:rds:us-east-1:1:x",
            TargetArn="arn:aws:redshift:us-east-1:1:x",
            IntegrationName="x",
        )


def test_a_vpc_that_overlaps_another_is_refused(cloud):
    ec2 = cloud.client("ec2")
    inside = cloud.vpc.cidr.replace(".0.0/16", ".8.0/24")
    with pytest.raises(botocore.exceptions.ClientError, match=f"{inside} overlaps"):
        ec2.create_vpc(CidrBlock=inside)
    made = ec2.create_vpc(CidrBlock=free_range())["Vpc"]["VpcId"]
    ec2.delete_vpc(VpcId=made)


def test_a_deny_without_tls_does_not_deny_everything(cloud):
    """The TLS-only policy of a state bucket must leave the bucket usable."""
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="tests-tls")
    statement = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*",'
        '"Resource":["arn:aws:s3:::tests-tls","arn:aws:s3:::tests-tls/*"],'
        '"Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}'
    )
    s3.put_bucket_policy(Bucket="tests-tls", Policy=statement)
    s3.put_object(Bucket="tests-tls", Key="k", Body=b"v")
    s3.delete_object(Bucket="tests-tls", Key="k")
    s3.delete_bucket(Bucket="tests-tls")


def test_a_versioned_bucket_can_be_emptied(cloud):
    """Delete markers among the versions, as the lock file of a state leaves them."""
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="tests-versions")
    s3.put_bucket_versioning(Bucket="tests-versions", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="tests-versions", Key="lock", Body=b"x")
    s3.delete_object(Bucket="tests-versions", Key="lock")
    listed = s3.list_object_versions(Bucket="tests-versions")
    versions = [
        {"Key": item["Key"], "VersionId": item["VersionId"]}
        for item in listed["Versions"] + listed["DeleteMarkers"]
    ]
    assert len(versions) == 2
    s3.delete_objects(Bucket="tests-versions", Delete={"Objects": versions})
    s3.delete_bucket(Bucket="tests-versions")
