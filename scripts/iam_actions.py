"""The IAM actions that a run needs on a real account, from the audit of one on the embedded cloud.

    python -m drydock audit --json | python scripts/iam_actions.py

Prints a policy document. API calls are not always named as the actions that allow them, and some
permissions are needed without a call of the caller's own; both tables below say where that is so
(Service Authorization Reference).
"""

import collections
import json
import sys

PREFIX = {
    "accessanalyzer": "access-analyzer",
    "elbv2": "elasticloadbalancing",
    "resourcegroupstaggingapi": "tag",
    "application-autoscaling": "application-autoscaling",
}
ACTION = {
    **dict.fromkeys(
        (
            f"budgets:{call}"
            for call in (
                "CreateBudget",
                "UpdateBudget",
                "DeleteBudget",
                "CreateNotification",
                "UpdateNotification",
                "DeleteNotification",
            )
        ),
        "budgets:ModifyBudget",
    ),
    **dict.fromkeys(
        (
            f"budgets:Describe{what}"
            for what in ("Budget", "NotificationsForBudget", "SubscribersForNotification")
        ),
        "budgets:ViewBudget",
    ),
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:DeleteObjects": "s3:DeleteObjectVersion",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:DeleteBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:DeleteBucketLifecycle": "s3:PutLifecycleConfiguration",
    "s3:GetBucketReplication": "s3:GetReplicationConfiguration",
    "s3:PutBucketReplication": "s3:PutReplicationConfiguration",
    "s3:DeleteBucketReplication": "s3:PutReplicationConfiguration",
    "s3:GetBucketAccelerateConfiguration": "s3:GetAccelerateConfiguration",
    "s3:GetBucketCors": "s3:GetBucketCORS",
    "s3:DeleteBucketOwnershipControls": "s3:PutBucketOwnershipControls",
    "s3:GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:DeletePublicAccessBlock": "s3:PutBucketPublicAccessBlock",
}
# Needed although the caller makes no such call itself.
IMPLIED = {
    "backup:TagResource": "tags at creation",
    "budgets:TagResource": "tags at creation",
    "ce:TagResource": "tags at creation",
    "backup-storage:MountCapsule": "a backup vault's storage",
    "kms:RetireGrant": "a backup vault uses the key",
    "globalaccelerator:TagResource": "tags at creation",
    "route53:AssociateVPCWithHostedZone": "a private zone at creation",
    "application-autoscaling:TagResource": "tags at creation",
    "cloudwatch:ListMetrics": "verify asks whether nodes that do not answer ever reported",
    "cloudwatch:TagResource": "tags at creation",
    "sns:TagResource": "tags at creation",
    "ecr:BatchCheckLayerAvailability": "push",
    "ecr:BatchGetImage": "push",
    "ecr:CompleteLayerUpload": "push",
    "ecr:GetDownloadUrlForLayer": "push",
    "ecr:InitiateLayerUpload": "push",
    "ecr:PutImage": "push",
    "ecr:UploadLayerPart": "push",
    "ecr:TagResource": "tags at creation",
    "ec2:RunInstances": "a group launches by a template in its maker's name, too",
    "ecs:TagResource": "tags at creation",
    "elasticache:AddTagsToResource": "tags at creation",
    "elasticloadbalancing:AddTags": "tags at creation",
    "elasticloadbalancing:SetWebACL": "the firewall is put before the load balancer",
    "iam:CreateServiceLinkedRole": "first use of ECS, ELB, RDS, ElastiCache, scaling in an account",
    "iam:PassRole": "task and execution roles, the database proxy's role",
    "iam:TagRole": "tags at creation",
    "kms:CreateGrant": "RDS and ElastiCache use the key",
    "kms:Decrypt": "state and repositories are encrypted",
    "kms:GenerateDataKey": "state is encrypted",
    "kms:TagResource": "tags at creation",
    "logs:CreateLogDelivery": "flow logs, the firewall's log",
    "logs:DeleteLogDelivery": "flow logs, the firewall's log",
    "logs:DescribeResourcePolicies": "the firewall's log",
    "logs:PutResourcePolicy": "the firewall's log",
    "logs:TagResource": "tags at creation",
    "rds:AddTagsToResource": "tags at creation",
    "s3:DeleteObjectVersion": "destroy empties a versioned bucket",
    "secretsmanager:CreateSecret": "the master secret that RDS manages",
    "secretsmanager:TagResource": "the master secret that RDS manages",
}
# A run from nothing changes little in place; a later one may change anything that it made.
UPDATES = (
    "budgets:UntagResource", "ce:UntagResource", "ce:UpdateAnomalyMonitor",
    "ce:UpdateAnomalySubscription",
    "backup:UntagResource", "backup:UpdateBackupPlan", "globalaccelerator:UntagResource",
    "globalaccelerator:UpdateAcceleratorAttributes", "globalaccelerator:UpdateEndpointGroup",
    "route53:UpdateHealthCheck", "route53:UpdateHostedZoneComment",
    "application-autoscaling:UntagResource", "cloudwatch:UntagResource",
    "autoscaling:DeleteTags", "autoscaling:DetachLoadBalancerTargetGroups",
    "autoscaling:ResumeProcesses", "autoscaling:SetDesiredCapacity",
    "dynamodb:TagResource", "dynamodb:UntagResource", "dynamodb:UpdateTable",
    "ec2:DeleteTags", "ec2:ModifySubnetAttribute", "ec2:ModifySecurityGroupRules",
    "ec2:DeleteNetworkAclEntry", "ec2:ModifyVpcEndpoint", "ec2:ReplaceNetworkAclEntry",
    "ec2:ReplaceRoute", "ecr:PutImageScanningConfiguration", "ecr:PutImageTagMutability",
    "ecr:UntagResource", "ecs:UntagResource", "ecs:UpdateCluster",
    "elasticache:DecreaseReplicaCount", "elasticache:IncreaseReplicaCount",
    "elasticache:ModifyCacheSubnetGroup", "elasticache:ModifyReplicationGroup",
    "elasticache:RemoveTagsFromResource", "elasticloadbalancing:ModifyListener",
    "elasticloadbalancing:ModifyRule", "elasticloadbalancing:ModifyTargetGroup",
    "elasticloadbalancing:RemoveTags", "elasticloadbalancing:SetSecurityGroups",
    "elasticloadbalancing:SetSubnets", "iam:UntagRole", "iam:UpdateAssumeRolePolicy",
    "kms:PutKeyPolicy", "kms:UntagResource", "logs:DeleteRetentionPolicy", "logs:UntagResource",
    "rds:ModifyDBInstance", "rds:ModifyDBProxy", "rds:ModifyDBSubnetGroup",
    "rds:RemoveTagsFromResource", "sns:GetSubscriptionAttributes", "sns:SetSubscriptionAttributes",
    "sns:Subscribe", "sns:Unsubscribe", "sns:UntagResource", "wafv2:TagResource",
    "wafv2:UntagResource", "wafv2:UpdateWebACL",
)  # fmt: skip
NO_PERMISSION = {"sts:GetCallerIdentity"}  # anybody may ask who they are


def policy(rows: list[dict]) -> dict:
    """An IAM policy document that allows what the audit's rows did, a statement per service."""
    actions = {f"{row['service']}:{row['action']}" for row in rows if row["action"]}
    named = {ACTION.get(action, action) for action in actions} | set(IMPLIED) | set(UPDATES)
    services = collections.defaultdict(list)
    for action in sorted(named - NO_PERMISSION):
        service, _, name = action.partition(":")
        service = PREFIX.get(service, service)
        services[service].append(f"{service}:{name}")
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": service.replace("-", "").capitalize(),
                "Effect": "Allow",
                "Action": sorted(set(names)),
                "Resource": "*",
            }
            for service, names in sorted(services.items())
        ],
    }


if __name__ == "__main__":
    print(json.dumps(policy([json.loads(line) for line in sys.stdin if line.strip()]), indent=2))
