"""Every resource that can carry tags carries all that are mandatory."""

from collections.abc import Callable
from typing import Any

MANDATORY = {"Environment", "Service", "Owner", "CostCenter", "ManagedBy"}
# Services that the tagging API does not know, each with the way to read one ARN's tags.
READERS: dict[str, Callable[[Callable[[str], Any], str], list[dict[str, str]]]] = {
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
    "logs": lambda aws, arn: [
        {"Key": key, "Value": value}
        for key, value in aws("logs")
        .list_tags_for_resource(resourceArn=arn.removesuffix(":*"))["tags"]
        .items()
    ],
    "elasticloadbalancing": lambda aws, arn: aws("elbv2").describe_tags(ResourceArns=[arn])[
        "TagDescriptions"
    ][0]["Tags"],
    "sns": lambda aws, arn: aws("sns").list_tags_for_resource(ResourceArn=arn)["Tags"],
    "cloudwatch": lambda aws, arn: aws("cloudwatch").list_tags_for_resource(ResourceARN=arn)[
        "Tags"
    ],
    "application-autoscaling": lambda aws, arn: [
        {"Key": key, "Value": value}
        for key, value in aws("application-autoscaling")
        .list_tags_for_resource(ResourceARN=arn)["Tags"]
        .items()
    ],
    "ec2": lambda aws, arn: aws("ec2").describe_tags(
        Filters=[{"Name": "resource-id", "Values": [arn.rpartition("/")[2]]}]
    )["Tags"],
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
    if not arn.startswith("arn:"):  # of the kinds used, only EC2's have a bare ID
        return READERS["ec2"]
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
            tags[arn] = {
                tag.get("Key", tag.get("key")): tag.get("Value", tag.get("value"))
                for tag in read(aws, arn)
            }
        missing = MANDATORY - {name for name, value in tags[arn].items() if value}
        if missing:
            problems.append(f"{address} ({arn}) lacks {', '.join(sorted(missing))}")
        elif tags[arn]["Environment"] != facts["environment"]:
            problems.append(f"{address} ({arn}) is tagged for {tags[arn]['Environment']}")
    assert problems == []
