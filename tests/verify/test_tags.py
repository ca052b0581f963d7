"""Every resource that can carry tags carries all that are mandatory, as the API says."""

from collections.abc import Callable
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

MANDATORY = {"Environment", "Service", "Owner", "CostCenter", "ManagedBy"}
# Services that the tagging API does not know, each with the way to read one ARN's tags.
READERS: dict[str, Callable[[Callable[..., Any], str], Any]] = {
    "iam:role": lambda aws, arn: aws("iam").list_role_tags(RoleName=arn.rpartition("/")[2])["Tags"],
    "iam:policy": lambda aws, arn: aws("iam").list_policy_tags(PolicyArn=arn)["Tags"],
    "ecr:repository": lambda aws, arn: aws("ecr").list_tags_for_resource(resourceArn=arn)["tags"],
    "ecs:task-definition": lambda aws, arn: aws("ecs").describe_task_definition(
        taskDefinition=arn, include=["TAGS"]
    )["tags"],
    "ecs:service": lambda aws, arn: aws("ecs").list_tags_for_resource(resourceArn=arn)["tags"],
    "ecs:cluster": lambda aws, arn: aws("ecs").list_tags_for_resource(resourceArn=arn)["tags"],
    "elasticache": lambda aws, arn: aws("elasticache").list_tags_for_resource(ResourceName=arn)[
        "TagList"
    ],
    "rds": lambda aws, arn: aws("rds").list_tags_for_resource(ResourceName=arn)["TagList"],
    "dynamodb": lambda aws, arn: aws("dynamodb").list_tags_of_resource(ResourceArn=arn)["Tags"],
    "kms:key": lambda aws, arn: aws("kms").list_resource_tags(KeyId=arn)["Tags"],
    "s3": lambda aws, arn: aws("s3").get_bucket_tagging(Bucket=arn.rpartition(":")[2])["TagSet"],
    "logs": lambda aws, arn: aws("logs").list_tags_for_resource(resourceArn=arn.removesuffix(":*"))[
        "tags"
    ],
    "elasticloadbalancing": lambda aws, arn: aws("elbv2").describe_tags(ResourceArns=[arn])[
        "TagDescriptions"
    ][0]["Tags"],
    "sns": lambda aws, arn: aws("sns").list_tags_for_resource(ResourceArn=arn)["Tags"],
    "cloudwatch": lambda aws, arn: aws("cloudwatch").list_tags_for_resource(ResourceARN=arn)[
        "Tags"
    ],
    "application-autoscaling": lambda aws, arn: aws(
        "application-autoscaling"
    ).list_tags_for_resource(ResourceARN=arn)["Tags"],
    "ec2": lambda aws, arn: aws("ec2").describe_tags(
        Filters=[{"Name": "resource-id", "Values": [_name(arn)]}]
    )["Tags"],
    "ec2:placement-group": lambda aws, arn: aws("ec2").describe_placement_groups(
        GroupNames=[_name(arn)]
    )["PlacementGroups"][0]["Tags"],
    "iam:oidc-provider": lambda aws, arn: aws("iam").list_open_id_connect_provider_tags(
        OpenIDConnectProviderArn=arn
    )["Tags"],
    "iam:instance-profile": lambda aws, arn: aws("iam").get_instance_profile(
        InstanceProfileName=_name(arn)
    )["InstanceProfile"]["Tags"],
    "kinesis": lambda aws, arn: aws("kinesis").list_tags_for_stream(StreamName=_name(arn))["Tags"],
    "firehose": lambda aws, arn: aws("firehose").list_tags_for_delivery_stream(
        DeliveryStreamName=_name(arn)
    )["Tags"],
    "sqs": lambda aws, arn: aws("sqs").list_queue_tags(
        QueueUrl=aws("sqs").get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
    )["Tags"],
    "lambda": lambda aws, arn: aws("lambda").list_tags(Resource=arn)["Tags"],
    "ssm:document": lambda aws, arn: _ssm_tags(aws, "Document", _name(arn)),
    "ssm:automation-definition": lambda aws, arn: _ssm_tags(aws, "Document", _name(arn)),
    "ssm:parameter": lambda aws, arn: _ssm_tags(aws, "Parameter", arn.partition(":parameter")[2]),
    "mw": lambda aws, name: _ssm_tags(aws, "MaintenanceWindow", name),
    "scheduler": lambda aws, arn: aws("scheduler").list_tags_for_resource(ResourceArn=arn)["Tags"],
    "backup": lambda aws, arn: aws("backup").list_tags(ResourceArn=arn)["Tags"],
    "route53": lambda aws, arn: aws("route53").list_tags_for_resource(
        ResourceType=arn.split(":")[5].partition("/")[0], ResourceId=_name(arn)
    )["ResourceTagSet"]["Tags"],
    # Its API is in one region, wherever its users are.
    "globalaccelerator": lambda aws, arn: aws(
        "globalaccelerator", "us-west-2"
    ).list_tags_for_resource(ResourceArn=arn)["Tags"],
    "budgets": lambda aws, arn: aws("budgets").list_tags_for_resource(ResourceARN=arn)[
        "ResourceTags"
    ],
    "ce": lambda aws, arn: aws("ce").list_tags_for_resource(ResourceArn=arn)["ResourceTags"],
    "cloudtrail": lambda aws, arn: aws("cloudtrail").list_tags(ResourceIdList=[arn])[
        "ResourceTagList"
    ][0]["TagsList"],
    "config": lambda aws, arn: aws("config").list_tags_for_resource(ResourceArn=arn)["Tags"],
    "guardduty": lambda aws, arn: aws("guardduty").list_tags_for_resource(ResourceArn=arn)["Tags"],
    "access-analyzer": lambda aws, arn: aws("accessanalyzer").list_tags_for_resource(
        resourceArn=arn
    )["tags"],
    "events": lambda aws, arn: aws("events").list_tags_for_resource(ResourceARN=arn)["Tags"],
    "wafv2": lambda aws, arn: aws("wafv2").list_tags_for_resource(ResourceARN=arn)[
        "TagInfoForResource"
    ]["TagList"],
    "secretsmanager": lambda aws, arn: aws("secretsmanager").describe_secret(SecretId=arn)["Tags"],
    "shield": lambda aws, arn: aws("shield").list_tags_for_resource(ResourceARN=arn)["Tags"],
}
# Kinds that AWS can't tag: parts and settings of a resource that can, links between two, and
# what an account has one of. A kind that is neither here nor has `tags_all` fails the test.
UNTAGGABLE = set(
    """
    appautoscaling_policy appautoscaling_scheduled_action autoscaling_lifecycle_hook
    autoscaling_policy backup_selection backup_vault_lock_configuration ce_cost_allocation_tag
    cloudwatch_dashboard cloudwatch_event_target cloudwatch_log_stream
    config_configuration_recorder config_configuration_recorder_status config_delivery_channel
    config_retention_configuration db_instance_automated_backups_replication
    db_proxy_default_target_group db_proxy_target ecr_lifecycle_policy
    ecs_cluster_capacity_providers globalaccelerator_endpoint_group globalaccelerator_listener
    guardduty_detector_feature iam_account_password_policy iam_role_policy
    iam_role_policy_attachment kms_alias kms_grant lambda_permission route route53_record
    route_table_association s3_bucket_lifecycle_configuration s3_bucket_ownership_controls
    s3_bucket_policy s3_bucket_public_access_block s3_bucket_replication_configuration
    s3_bucket_server_side_encryption_configuration s3_bucket_versioning scheduler_schedule
    secretsmanager_secret_rotation secretsmanager_secret_version securityhub_account
    securityhub_standards_subscription sns_topic_policy sns_topic_subscription sqs_queue_policy
    sqs_queue_redrive_allow_policy ssm_maintenance_window_target ssm_maintenance_window_task
    wafv2_web_acl_association wafv2_web_acl_logging_configuration
    """.split()  # noqa: SIM905 (a list of so many would fill two screens)
)
# Tagged by blocks of its own, which its instances take over (modules/node_fleet and its tests).
TAGGED_OTHERWISE = {"autoscaling_group"}


def _in_region(aws: Callable[..., Any], region: str, service: str, own: str = "") -> Any:
    """Return the client of the region that a resource is in."""
    return aws(service, own or region)


def _name(arn: str) -> str:
    return arn.rpartition("/")[2]


def _ssm_tags(aws: Callable[..., Any], kind: str, name: str) -> list[dict[str, str]]:
    asked = {"ResourceType": kind, "ResourceId": name}
    return aws("ssm").list_tags_for_resource(**asked)["TagList"]


def _plain(tags: Any) -> dict[str, str]:
    """Return tags as name → value, however the service writes them."""
    if isinstance(tags, dict):
        return tags
    return {
        pair.get("Key", pair.get("key", pair.get("TagKey"))): pair.get(
            "Value", pair.get("value", pair.get("TagValue"))
        )
        for pair in tags
    }


def _taggable(states: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return ARN, or ID where the provider knows no ARN, → address of each taggable resource.

    `tags_all` is in a resource's attributes exactly if its kind can be tagged (provider aws).
    """
    return {
        instance["attributes"].get("arn")
        or instance["attributes"]["id"]: f"{stack}: {resource['type']}.{resource['name']}"
        for stack, state in states.items()
        for resource in state["resources"]
        if resource["mode"] == "managed"
        for instance in resource["instances"]
        if "tags_all" in instance["attributes"]
    }


def _reader(arn: str) -> Any:
    if not arn.startswith("arn:"):  # of the kinds used, only these have a bare ID
        return READERS["mw" if arn.startswith("mw-") else "ec2"]
    service, kind = arn.split(":")[2], arn.split(":", 5)[5].partition("/")[0]
    return READERS.get(f"{service}:{kind}") or READERS.get(service)


def test_every_taggable_resource_carries_all_mandatory_tags(
    aws: Callable[[str], Any], states: dict[str, dict[str, Any]], facts: dict[str, Any]
) -> None:
    resources = _taggable(states)
    assert resources, "the states hold no resource that can be tagged"
    pages = (
        aws("resourcegroupstaggingapi")
        .get_paginator("get_resources")
        .paginate(TagFilters=[{"Key": "Environment", "Values": [facts["environment"]]}])
    )
    tags = {
        entry["ResourceARN"]: {tag["Key"]: tag["Value"] for tag in entry["Tags"]}
        for page in pages
        for entry in page["ResourceTagMappingList"]
    }
    problems = []
    for arn, address in resources.items():
        if arn not in tags:
            read = _reader(arn)
            if read is None:
                problems.append(f"{address} ({arn}): no way to read its tags is known here")
                continue
            region = arn.split(":")[3] if arn.startswith("arn:") else ""
            here = partial(_in_region, aws, region)
            try:
                tags[arn] = _plain(read(here, arn))
            except ClientError as error:
                problems.append(f"{address} ({arn}): {error}")
                continue
        missing = MANDATORY - {name for name, value in tags[arn].items() if value}
        if missing:
            problems.append(f"{address} ({arn}) lacks {', '.join(sorted(missing))}")
        elif tags[arn]["Environment"] != facts["environment"]:
            problems.append(f"{address} ({arn}) is tagged for {tags[arn]['Environment']}")
    assert not problems, "; ".join(problems)


def test_every_kind_that_has_no_tags_is_one_that_aws_can_t_tag(
    states: dict[str, dict[str, Any]],
) -> None:
    bare = {
        resource["type"].removeprefix("aws_")
        for state in states.values()
        for resource in state["resources"]
        if resource["mode"] == "managed"
        and any("tags_all" not in one["attributes"] for one in resource["instances"])
    }
    assert bare - UNTAGGABLE - TAGGED_OTHERWISE == set()
