"""What recovery needs of AWS and moto lacks, as a client sees it over HTTP."""

import json
import threading

import boto3
import pytest
from botocore.exceptions import ClientError

from drydock.audit import Audit
from drydock.gateway import Gateway, serve
from drydock.moto import patches

REGION, STANDBY = "us-east-1", "us-west-2"


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    """Clients of a gateway with all patches: service, region → client."""
    patches.apply()
    audit = Audit(tmp_path_factory.mktemp("audit") / "audit.jsonl")
    server = serve(Gateway(audit, patches.operations(), {}), 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def client(service: str, region: str = REGION):
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=f"http://127.0.0.1:{server.port}",
            aws_access_key_id="a",
            aws_secret_access_key="b",
        )

    yield client
    server.shutdown()
    server.server_close()


def refused(call, **given) -> str:
    with pytest.raises(ClientError) as error:
        call(**given)
    return error.value.response["Error"]["Code"]


RULE = {"RuleName": "daily", "TargetBackupVaultName": "v", "Lifecycle": {"DeleteAfterDays": 7}}


def test_a_backup_plan_is_changed_in_place_and_goes_only_without_selections(aws):
    backup = aws("backup")
    plan = backup.create_backup_plan(
        BackupPlan={"BackupPlanName": "p", "Rules": [RULE]}, BackupPlanTags={"Owner": "me"}
    )
    plan_id = plan["BackupPlanId"]
    assert backup.list_tags(ResourceArn=plan["BackupPlanArn"])["Tags"] == {"Owner": "me"}

    longer = {**RULE, "Lifecycle": {"DeleteAfterDays": 35}}
    changed = backup.update_backup_plan(
        BackupPlanId=plan_id, BackupPlan={"BackupPlanName": "p", "Rules": [longer]}
    )
    assert changed["VersionId"] != plan["VersionId"]
    rules = backup.get_backup_plan(BackupPlanId=plan_id)["BackupPlan"]["Rules"]
    assert [rule["Lifecycle"]["DeleteAfterDays"] for rule in rules] == [35]

    role = "arn:aws:iam::123456789012:role/backup"
    wanted = {"SelectionName": "s", "IamRoleArn": role, "Resources": ["*"]}
    selected = backup.create_backup_selection(BackupPlanId=plan_id, BackupSelection=wanted)
    key = {"BackupPlanId": plan_id, "SelectionId": selected["SelectionId"]}
    assert backup.get_backup_selection(**key)["BackupSelection"] == wanted
    listed = backup.list_backup_selections(BackupPlanId=plan_id)["BackupSelectionsList"]
    assert [item["SelectionName"] for item in listed] == ["s"]
    assert refused(backup.delete_backup_plan, BackupPlanId=plan_id) == "InvalidRequestException"

    backup.delete_backup_selection(**key)
    backup.delete_backup_plan(BackupPlanId=plan_id)
    assert refused(backup.get_backup_plan, BackupPlanId=plan_id) == "ResourceNotFoundException"
    assert refused(backup.get_backup_selection, **key) == "ResourceNotFoundException"


def test_a_zone_made_with_a_vpc_is_private_and_shows_it(aws):
    route53 = aws("route53")
    vpc = {"VPCId": "vpc-1", "VPCRegion": REGION}
    made = route53.create_hosted_zone(Name="a.internal", CallerReference="1", VPC=vpc)
    zone = route53.get_hosted_zone(Id=made["HostedZone"]["Id"])
    assert zone["VPCs"] == [vpc]
    assert zone["HostedZone"]["Config"]["PrivateZone"] is True
    public = route53.create_hosted_zone(Name="a.example", CallerReference="2")
    zone = route53.get_hosted_zone(Id=public["HostedZone"]["Id"])
    assert "VPCs" not in zone
    assert zone["DelegationSet"]["NameServers"]


def test_the_policies_that_aws_manages_can_be_attached(aws):
    iam = aws("iam")
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust)
    arn = "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup"
    iam.attach_role_policy(RoleName="r", PolicyArn=arn)
    attached = iam.list_attached_role_policies(RoleName="r")["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in attached] == [arn]
    iam.detach_role_policy(RoleName="r", PolicyArn=arn)
    assert iam.list_attached_role_policies(RoleName="r")["AttachedPolicies"] == []

    # Neither a policy that AWS has not, nor one of AWS's under a path that is not its own.
    for wrong in ("service-role/NoSuch", "AWSBackupServiceRolePolicyForBackup"):
        given = {"RoleName": "r", "PolicyArn": f"arn:aws:iam::aws:policy/{wrong}"}
        assert refused(iam.attach_role_policy, **given) == "NoSuchEntity"


REPLICATION = {
    "Role": "arn:aws:iam::123456789012:role/replication",
    "Rules": [
        {
            "ID": "all",
            "Priority": 0,
            "Status": "Enabled",
            "Filter": {"Prefix": "kept/"},
            "DeleteMarkerReplication": {"Status": "Enabled"},
            "SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}},
            "Destination": {
                "Bucket": "arn:aws:s3:::replica",
                "StorageClass": "STANDARD_IA",
                "EncryptionConfiguration": {"ReplicaKmsKeyID": "arn:aws:kms:us-west-2:1:key/k"},
                "ReplicationTime": {"Status": "Enabled", "Time": {"Minutes": 15}},
                "Metrics": {"Status": "Enabled", "EventThreshold": {"Minutes": 15}},
            },
        }
    ],
}


def test_what_is_written_reaches_the_replica(aws):
    here, there = aws("s3"), aws("s3", STANDBY)
    here.create_bucket(Bucket="source")
    there.create_bucket(Bucket="replica", CreateBucketConfiguration={"LocationConstraint": STANDBY})
    missing = refused(here.get_bucket_replication, Bucket="source")
    assert missing == "ReplicationConfigurationNotFoundError"
    given = {"Bucket": "source", "ReplicationConfiguration": REPLICATION}
    versioned = {"Status": "Enabled"}
    here.put_bucket_versioning(Bucket="source", VersioningConfiguration=versioned)
    assert refused(here.put_bucket_replication, **given) == "InvalidRequest", "replica unversioned"
    there.put_bucket_versioning(Bucket="replica", VersioningConfiguration=versioned)
    here.put_bucket_replication(**given)
    found = here.get_bucket_replication(Bucket="source")["ReplicationConfiguration"]
    assert found == REPLICATION

    written = here.put_object(Bucket="source", Key="kept/a", Body=b"one")
    here.put_object(Bucket="source", Key="other", Body=b"two")
    copy = there.get_object(Bucket="replica", Key="kept/a")
    assert copy["Body"].read() == b"one"
    assert copy["VersionId"] == written["VersionId"]
    assert copy["StorageClass"] == "STANDARD_IA"
    assert refused(there.get_object, Bucket="replica", Key="other") == "NoSuchKey"

    # A marker is copied; the version under it can still be read on both sides.
    here.delete_object(Bucket="source", Key="kept/a")
    assert refused(there.get_object, Bucket="replica", Key="kept/a") == "NoSuchKey"
    version = {"Key": "kept/a", "VersionId": written["VersionId"]}
    assert there.get_object(Bucket="replica", **version)["Body"].read() == b"one"
    # A version that is deleted for good is not.
    here.delete_object(Bucket="source", **version)
    assert there.get_object(Bucket="replica", **version)["Body"].read() == b"one"

    here.delete_bucket_replication(Bucket="source")
    here.put_object(Bucket="source", Key="kept/b", Body=b"three")
    assert refused(there.get_object, Bucket="replica", Key="kept/b") == "NoSuchKey"


BALANCER = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/a/1"


def test_an_accelerator_is_taken_apart_in_order(aws):
    accelerators = aws("globalaccelerator", STANDBY)
    made = accelerators.create_accelerator(
        Name="a", IdempotencyToken="1", Tags=[{"Key": "Owner", "Value": "me"}]
    )["Accelerator"]
    arn = {"AcceleratorArn": made["AcceleratorArn"]}
    assert made["Status"] == "DEPLOYED"
    assert len(made["IpSets"][0]["IpAddresses"]) == 2
    tags = accelerators.list_tags_for_resource(ResourceArn=made["AcceleratorArn"])["Tags"]
    assert tags == [{"Key": "Owner", "Value": "me"}]
    listener = accelerators.create_listener(
        **arn, PortRanges=[{"FromPort": 443, "ToPort": 443}], Protocol="TCP", IdempotencyToken="2"
    )["Listener"]["ListenerArn"]
    group = {
        "ListenerArn": listener,
        "EndpointGroupRegion": REGION,
        "EndpointConfigurations": [{"EndpointId": BALANCER, "Weight": 10}],
    }
    made = accelerators.create_endpoint_group(**group, IdempotencyToken="3")["EndpointGroup"]
    assert made["TrafficDialPercentage"] == 100
    assert made["HealthCheckPort"] == 443
    twice = refused(accelerators.create_endpoint_group, **group, IdempotencyToken="4")
    assert twice == "EndpointGroupAlreadyExistsException"
    key = {"EndpointGroupArn": made["EndpointGroupArn"]}
    accelerators.update_endpoint_group(**key, TrafficDialPercentage=0)
    made = accelerators.describe_endpoint_group(**key)["EndpointGroup"]
    assert made["TrafficDialPercentage"] == 0
    assert made["EndpointDescriptions"][0]["EndpointId"] == BALANCER
    assert made["EndpointDescriptions"][0]["Weight"] == 10

    code = refused(accelerators.delete_listener, ListenerArn=listener)
    assert code == "AssociatedEndpointGroupFoundException"
    accelerators.delete_endpoint_group(**key)
    assert refused(accelerators.delete_accelerator, **arn) == "AcceleratorNotDisabledException"
    accelerators.update_accelerator(**arn, Enabled=False)
    assert refused(accelerators.delete_accelerator, **arn) == "AssociatedListenerFoundException"
    accelerators.delete_listener(ListenerArn=listener)
    accelerators.delete_accelerator(**arn)
    assert refused(accelerators.describe_accelerator, **arn) == "AcceleratorNotFoundException"
