"""Who may do what, which secrets are seen, and whose each resource is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from .exceptions import allowed
from .model import UNKNOWN, Resource, View, blocks, document, look, rule
from .statements import everything, loose_federation, open_to_all

GRANTS = {
    "aws_iam_policy": "policy",
    "aws_iam_role_policy": "policy",
    "aws_iam_user_policy": "policy",
    "aws_iam_group_policy": "policy",
    "aws_ssoadmin_permission_set_inline_policy": "inline_policy",
}
OPEN_TO = {
    "aws_iam_role": "assume_role_policy",
    "aws_s3_bucket_policy": "policy",
    "aws_s3_bucket": "policy",
    "aws_s3_access_point": "policy",
    "aws_sqs_queue": "policy",
    "aws_sqs_queue_policy": "policy",
    "aws_sns_topic": "policy",
    "aws_sns_topic_policy": "policy",
    "aws_kms_key": "policy",
    "aws_kms_key_policy": "policy",
    "aws_kms_replica_key": "policy",
    "aws_ecr_repository_policy": "policy",
    "aws_ecr_registry_policy": "policy",
    "aws_secretsmanager_secret": "policy",
    "aws_secretsmanager_secret_policy": "policy",
    "aws_backup_vault_policy": "policy",
    "aws_kinesis_resource_policy": "policy",
    "aws_dynamodb_resource_policy": "policy",
    "aws_efs_file_system_policy": "policy",
    "aws_lambda_layer_version_permission": "policy",
    "aws_cloudwatch_event_bus_policy": "policy",
    "aws_cloudwatch_log_resource_policy": "policy_document",
    "aws_opensearch_domain": "access_policies",
    "aws_vpc_endpoint": None,
}
# Made by the provider where nobody gives one, so unknown says nothing.
OPTIONAL = {
    "aws_s3_bucket", "aws_sqs_queue", "aws_sns_topic", "aws_kms_key", "aws_secretsmanager_secret",
    "aws_kms_replica_key", "aws_s3_access_point", "aws_opensearch_domain",
}  # fmt: skip


def read(resource: Resource, view: View, key: str) -> tuple[Any, str]:
    """Return (document, what is wrong with reading it)."""
    try:
        found = document(view.value(resource, key))
    except (ValueError, TypeError):
        return None, f"{key} is no JSON"
    if found is UNKNOWN:
        return None, (
            f"{key} can't be known before the apply: write it as jsonencode({{…}}) or "
            "aws_iam_policy_document, so that only ARNs are open"
        )
    return found, ""


@rule(
    "DRYDOCK_IAM_1",
    "No policy allows all actions on all resources, outside break-glass.",
    "Name the actions, and the resources by their ARNs.",
    [*GRANTS, "aws_iam_role"],
)
def nothing_is_allowed_everything(resource: Resource, view: View) -> Iterator[str]:
    if resource.type == "aws_iam_role":
        inlines = view.value(resource, "inline_policy") if resource.sets("inline_policy") else None
        for inline in blocks(inlines):
            text = look(inline, "policy")
            try:
                yield from everything(document(text))
            except ValueError:
                yield "an inline_policy is no JSON"
        return
    found, wrong = read(resource, view, GRANTS[resource.type])
    if wrong:
        yield wrong
    yield from everything(found)


ADMINISTRATORS = re.compile(
    r"arn:aws[a-z-]*:iam::aws:policy/(AdministratorAccess|PowerUserAccess|IAMFullAccess|job-function/SystemAdministrator)"
)


@rule(
    "DRYDOCK_IAM_2",
    "AWS's administrator policies are attached to nobody, outside break-glass.",
    "Attach a policy of its own that names what is needed.",
    ["aws_iam_role_policy_attachment", "aws_iam_user_policy_attachment",
     "aws_iam_group_policy_attachment", "aws_iam_policy_attachment", "aws_iam_role",
     "aws_iam_role_policy_attachments_exclusive", "aws_ssoadmin_managed_policy_attachment"],
)  # fmt: skip
def no_administrators(resource: Resource, view: View) -> Iterator[str]:
    if allowed("DRYDOCK_IAM_2", view, resource):
        return
    for key in ("policy_arn", "managed_policy_arns", "policy_arns", "managed_policy_arn"):
        if not resource.sets(key):
            continue
        for arn in blocks(view.value(resource, key)):
            if isinstance(arn, str) and ADMINISTRATORS.fullmatch(arn):
                yield f"it attaches {arn.rpartition('/')[2]}"


@rule(
    "DRYDOCK_IAM_3",
    "No policy is open to everybody.",
    "Name the principals, or tie the statement to the account by a condition such as "
    "aws:SourceAccount.",
    [*OPEN_TO, "aws_lambda_permission", "aws_lambda_function_url", "aws_sns_topic_subscription",
     "aws_ami_launch_permission", "aws_db_snapshot", "aws_vpc_endpoint_service_allowed_principal"],
)  # fmt: skip
def open_to_nobody_unknown(resource: Resource, view: View) -> Iterator[str]:
    if resource.type == "aws_lambda_permission":
        ties = ("source_arn", "source_account", "principal_org_id")
        if resource.get("principal") == "*" and not any(
            resource.get(key) is UNKNOWN or resource.get(key) for key in ties
        ):
            yield "principal is *"
    elif resource.type == "aws_lambda_function_url":
        if resource.get("authorization_type") != "AWS_IAM":
            yield "authorization_type is not AWS_IAM"
    elif resource.type == "aws_ami_launch_permission":
        if resource.get("group") == "all":
            yield "it shares the image with everybody"
    elif resource.type == "aws_db_snapshot":
        if "all" in [one for one in blocks(resource.get("shared_accounts")) if one is not UNKNOWN]:
            yield "it shares the snapshot with everybody"
    elif resource.get("principal_arn") == "*":
        yield "principal_arn is *"
    key = OPEN_TO.get(resource.type)
    if not key:
        return
    found, wrong = read(resource, view, key)
    if wrong and resource.type not in OPTIONAL:
        yield wrong
    yield from open_to_all(found)
    if resource.type == "aws_iam_role":
        yield from loose_federation(found)


# Attributes that Terraform writes into the state, and what to use instead.
KEPT = {
    "aws_db_instance": ("password", "manage_master_user_password = true"),
    "aws_rds_cluster": ("master_password", "manage_master_user_password = true"),
    "aws_docdb_cluster": ("master_password", "manage_master_user_password = true"),
    "aws_redshift_cluster": ("master_password", "manage_master_password = true"),
    "aws_elasticache_replication_group": ("auth_token", "a user group with IAM authentication"),
    "aws_elasticache_user": ("passwords", "authentication_mode type iam"),
    "aws_secretsmanager_secret_version": ("secret_string", "secret_string_wo"),
    "aws_iam_access_key": (None, "a role"),
    "aws_iam_user_login_profile": (None, "single sign-on"),
    "aws_dms_endpoint": ("password", "secrets_manager_arn"),
}
SECRET_NAME = re.compile(
    r"(pass(word|wd|phrase)?|secret|token|api_?key|private_?key|credentials?|auth)$", re.I
)
SECRET_TEXT = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\b(AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\bgh[pousr]_[A-Za-z0-9]{30,}|\bxox[abp]-[0-9A-Za-z-]{10,}"
    r"|[a-z][a-z0-9+.-]*://[^/\s:@\"']+:[^/\s:@\"'$⟦{]+@",
)
REFERENCE = re.compile(r"(arn:|⟦|\{\{resolve:|ssm:|/aws/reference/)")


def _names(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield (name, value) of settings within containers, environments and the like."""
    if isinstance(value, Mapping):
        name = value.get("name", value.get("Name"))
        if isinstance(name, str) and "value" in value:
            yield name, value["value"]
        for key, part in value.items():
            if isinstance(part, Mapping | list):
                yield from _names(part)
            elif key not in ("value", "name"):
                yield str(key), part
    elif isinstance(value, list):
        for part in value:
            yield from _names(part)


# Where settings of programs stand.
SETTINGS = {
    "aws_ecs_task_definition": ("container_definitions",),
    "aws_lambda_function": ("environment",),
    "aws_codebuild_project": ("environment",),
    "aws_apprunner_service": ("source_configuration",),
    "aws_batch_job_definition": ("container_properties",),
}
TEXTS = ("user_data", "user_data_base64", "container_definitions", "content", "definition",
         "environment", "value", "insecure_value", "description", "policy")  # fmt: skip


@rule(
    "DRYDOCK_SEC_1",
    "No secret is written down in a plan, a state or a setting.",
    "Keep it in Secrets Manager and give its ARN (for tasks under secrets, valueFrom).",
    (),
)
def no_plain_secret(resource: Resource, view: View) -> Iterator[str]:
    key, instead = KEPT.get(resource.type, ("", ""))
    if key is None:
        yield f"a {resource.type} has its secret in the state: use {instead}"
    elif key and resource.sets(key):
        value = resource.get(key)
        if value is UNKNOWN or value not in (None, "", []):
            yield f"{key} would be in the state: use {instead}"
    if resource.type == "aws_ssm_parameter":
        name = str(resource.get("name")).rpartition("/")[2]
        if resource.get("type") == "SecureString" and resource.get("value") not in (None, ""):
            yield "value would be in the state: use value_wo"
        elif resource.get("type") != "SecureString" and (
            SECRET_NAME.search(name) or resource.is_sensitive("insecure_value")
        ):
            yield "it looks like a secret, but its type is not SecureString"
    for setting in SETTINGS.get(resource.type, ()):
        held = view.value(resource, setting)
        if isinstance(held, str):
            try:
                held = json.loads(held)
            except ValueError:
                held = None
        for name, value in _names(held):
            plain = isinstance(value, str) and len(value) > 2 and not REFERENCE.match(value)
            if SECRET_NAME.search(name) and plain:
                yield f"{setting} holds {name} in the clear"
        if setting == "environment" and _sensitive(look(resource.marks, setting)):
            yield f"{setting} holds a sensitive value in the clear"
    for name in TEXTS:
        value = view.value(resource, name) if name in (resource.values or {}) else None
        text = value if isinstance(value, str) else json.dumps(value, default=str)
        if SECRET_TEXT.search(_decoded(name, text)):
            yield f"{name} holds what looks like a key or a password"


def _sensitive(marks: Any) -> bool:
    if isinstance(marks, Mapping):
        return any(_sensitive(part) for part in marks.values())
    if isinstance(marks, list):
        return any(_sensitive(part) for part in marks)
    return marks is True


def _decoded(name: str, text: str) -> str:
    if name.startswith("user_data") and text and " " not in text:
        import base64
        import binascii

        try:
            return base64.b64decode(text, validate=True).decode(errors="replace")
        except (binascii.Error, ValueError):
            return text
    return text


MANDATORY = ("Environment", "Service", "Owner", "CostCenter", "ManagedBy")


@rule(
    "DRYDOCK_TAG_1",
    "Every resource says whose it is: Environment, Service, Owner, CostCenter, ManagedBy.",
    "Leave them to the provider's default_tags (versions.tf of the stack) and override none "
    "with an empty or another environment's value.",
    (),
)
def tagged(resource: Resource, view: View) -> Iterator[str]:
    values = resource.values or {}
    if resource.type == "aws_autoscaling_group":
        tags: Any = {look(one, "key"): look(one, "value") for one in blocks(resource.get("tag"))}
    elif "tags_all" in values:
        tags = values["tags_all"]
    else:
        return
    if tags is UNKNOWN:
        # A tag that is not known yet hides all; those of the provider are seen on its neighbours.
        own = view.value(resource, "tags")
        tags = {**_of_provider(resource, view), **(own if isinstance(own, Mapping) else {})}
    tags = tags or {}
    missing = [
        key
        for key in MANDATORY
        if tags.get(key) is not UNKNOWN and not str(tags.get(key) or "").strip()
    ]
    if missing:
        yield f"it has no tag {', '.join(missing)}"
    found = tags.get("Environment")
    if view.environment and isinstance(found, str) and found not in ("", view.environment):
        yield f"its tag Environment is {found}, not {view.environment}"


def _of_provider(resource: Resource, view: View) -> Mapping[str, Any]:
    """Return the tags that resources of the same provider all have."""
    common: dict[str, Any] | None = None
    for one in view.resources:
        tags = (one.values or {}).get("tags_all")
        if one.provider == resource.provider and isinstance(tags, Mapping):
            pairs = {key: value for key, value in tags.items() if value is not UNKNOWN}
            common = pairs if common is None else {k: v for k, v in common.items() if k in pairs}
    return common or {}
