"""What is stored is encrypted, comes and goes encrypted, is kept and is not public."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .model import UNKNOWN, Resource, View, blocks, document, look, rule
from .statements import denies_plain_transport

AT_REST = {
    "aws_db_instance": "storage_encrypted",
    "aws_rds_cluster": "storage_encrypted",
    "aws_docdb_cluster": "storage_encrypted",
    "aws_neptune_cluster": "storage_encrypted",
    "aws_redshift_cluster": "encrypted",
    "aws_efs_file_system": "encrypted",
    "aws_ebs_volume": "encrypted",
    "aws_ebs_snapshot_copy": "encrypted",
    "aws_ami_copy": "encrypted",
    "aws_elasticache_replication_group": "at_rest_encryption_enabled",
    "aws_opensearch_domain": "encrypt_at_rest.0.enabled",
    "aws_dax_cluster": "server_side_encryption.0.enabled",
    "aws_rds_global_cluster": "storage_encrypted",
}
# The names of a key, where any will do.
KEYED = {
    "aws_sns_topic": ("kms_master_key_id",),
    "aws_sqs_queue": ("kms_master_key_id", "sqs_managed_sse_enabled"),
    "aws_kinesis_stream": ("kms_key_id",),
    "aws_cloudtrail": ("kms_key_id",),
    "aws_elasticache_serverless_cache": ("kms_key_id",),
    "aws_ecr_repository": ("encryption_configuration.0.encryption_type",),
}
DISKS = {
    "aws_instance": ("root_block_device", "ebs_block_device"),
    "aws_launch_template": ("block_device_mappings.*.ebs",),
    "aws_launch_configuration": ("root_block_device", "ebs_block_device"),
}


def _set(value: Any) -> bool:
    return value is UNKNOWN or value not in (None, "", False, "false")


def _disks(resource: Resource, view: View) -> list[Any]:
    found = []
    for path in DISKS[resource.type]:
        head, star, rest = path.partition(".*.")
        for one in blocks(view.value(resource, head)):
            found += blocks(look(one, rest)) if star else [one]
    return found


@rule(
    "DRYDOCK_ENC_1",
    "What is stored is encrypted.",
    "Turn encryption on, with the key of the foundation stack (kms_key_arn).",
    [*AT_REST, *KEYED, *DISKS],
)
def encrypted_at_rest(resource: Resource, view: View) -> Iterator[str]:
    if resource.type in DISKS:
        if resource.type == "aws_instance" and not blocks(
            view.value(resource, "root_block_device")
        ):
            yield "its root disk is not encrypted (root_block_device)"
        for disk in _disks(resource, view):
            if disk is UNKNOWN or str(look(disk, "encrypted")).lower() != "true":
                name = look(disk, "device_name")
                yield (
                    f"the disk {name} is not encrypted"
                    if isinstance(name, str)
                    else "a disk is not encrypted"
                )
    elif resource.type in KEYED:
        if not any(_set(resource.get(path)) for path in KEYED[resource.type]):
            yield f"it has no {' or '.join(KEYED[resource.type])}"
        elif resource.type == "aws_kinesis_stream" and resource.get("encryption_type") != "KMS":
            yield "encryption_type is not KMS"
    else:
        path = AT_REST[resource.type]
        source = resource.get("replicate_source_db")
        if _set(source):
            # A replica is as encrypted as its source; in another region it needs a key of there.
            if (
                isinstance(source, str)
                and source.startswith("arn:")
                and not _set(resource.get("kms_key_id"))
            ):
                yield "a replica of another region's database has no kms_key_id"
            return
        value = view.value(resource, path)
        if str(value).lower() != "true":
            how = "can't be known before the apply" if value is UNKNOWN else "is not true"
            yield f"{path.replace('.0', '')} {how}"


OLD_TLS = ("ELBSecurityPolicy-2016-08", "ELBSecurityPolicy-2015", "ELBSecurityPolicy-TLS-1-0",
           "ELBSecurityPolicy-TLS-1-1", "ELBSecurityPolicy-TLS13-1-0",
           "ELBSecurityPolicy-TLS13-1-1",
           "ELBSecurityPolicy-FS-2018", "ELBSecurityPolicy-FS-1-1")  # fmt: skip


@rule(
    "DRYDOCK_ENC_2",
    "What goes over the network is encrypted.",
    "Require TLS 1.2 or newer: HTTPS listeners (HTTP only to redirect), rds.force_ssl = 1, "
    "transit_encryption_mode = required, require_tls = true.",
    ["aws_elasticache_replication_group", "aws_db_proxy", "aws_db_parameter_group",
     "aws_rds_cluster_parameter_group", "aws_lb_listener", "aws_alb_listener",
     "aws_opensearch_domain", "aws_msk_cluster", "aws_cloudfront_distribution"],
)  # fmt: skip
def encrypted_in_transit(resource: Resource, view: View) -> Iterator[str]:
    kind = resource.type
    if kind == "aws_elasticache_replication_group":
        if str(resource.get("transit_encryption_enabled")).lower() != "true":
            yield "transit_encryption_enabled is not true"
        elif resource.get("transit_encryption_mode") == "preferred":
            yield "transit_encryption_mode is preferred, so clients may speak in the clear"
    elif kind == "aws_db_proxy":
        if resource.get("require_tls") is not True:
            yield "require_tls is not true"
    elif kind.endswith("parameter_group"):
        yield from _forces_tls(resource, view)
    elif kind in ("aws_lb_listener", "aws_alb_listener"):
        yield from _listener(resource, view)
    elif kind == "aws_opensearch_domain":
        if resource.get("domain_endpoint_options.0.enforce_https") is False:
            yield "enforce_https is false"
        if resource.get("node_to_node_encryption.0.enabled") is not True:
            yield "node_to_node_encryption is not enabled"
    elif kind == "aws_msk_cluster":
        path = "encryption_info.0.encryption_in_transit.0.client_broker"
        if resource.get(path) in ("PLAINTEXT", "TLS_PLAINTEXT"):
            yield f"client_broker is {resource.get(path)}"
    elif kind == "aws_cloudfront_distribution":
        policy = resource.get("default_cache_behavior.0.viewer_protocol_policy")
        if policy == "allow-all":
            yield "viewer_protocol_policy is allow-all"


def _forces_tls(resource: Resource, view: View) -> Iterator[str]:
    family = str(resource.get("family"))
    if "postgres" not in family:
        return
    values = {
        look(one, "name"): look(one, "value") for one in blocks(view.value(resource, "parameter"))
    }
    version = "".join(c for c in family.split("postgres")[-1].replace("ql", "")[:2] if c.isdigit())
    # From 15 on PostgreSQL's parameter groups force it by themselves.
    default = "1" if version.isdigit() and int(version) >= 15 else "0"
    forced = values.get("rds.force_ssl", default)
    if str(forced) != "1":
        yield f"rds.force_ssl is {forced}"


def _listener(resource: Resource, view: View) -> Iterator[str]:
    protocol = resource.get("protocol")
    if protocol in ("HTTPS", "TLS"):
        policy = resource.get("ssl_policy")
        if isinstance(policy, str) and policy.startswith(OLD_TLS):
            yield f"ssl_policy {policy} still takes TLS older than 1.2"
    elif protocol == "HTTP" and not view.allow_http:
        kinds = [look(one, "type") for one in blocks(resource.get("default_action"))]
        if any(kind != "redirect" for kind in kinds):
            yield "it answers plain HTTP, which the inventory does not allow (allow_http)"
        elif any(
            look(one, "redirect.0.protocol") == "HTTP"
            for one in blocks(resource.get("default_action"))
        ):
            yield "it redirects to plain HTTP"


PARTS = ("aws_s3_bucket_public_access_block", "aws_s3_bucket_server_side_encryption_configuration",
         "aws_s3_bucket_policy")  # fmt: skip
SHUT = ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")


def parts(bucket: Resource, kind: str, view: View) -> list[Resource]:
    """Return what of a kind belongs to a bucket."""
    return [
        one for one in view.of(kind) if view.same(view.value(one, "bucket"), bucket, "id", "bucket")
    ]


@rule(
    "DRYDOCK_S3_1",
    "No bucket is public.",
    "Use module bucket, which blocks public access; share by a CDN or by signed URLs.",
    ["aws_s3_bucket"],
    related=PARTS,
    alone=False,
)
def bucket_is_shut(resource: Resource, view: View) -> Iterator[str]:
    if not parts(resource, PARTS[0], view):
        yield "it has no aws_s3_bucket_public_access_block"


@rule(
    "DRYDOCK_S3_2",
    "Nothing opens a bucket to the public.",
    "Block all four kinds of public access and use no public ACL or website.",
    [PARTS[0], "aws_s3_account_public_access_block", "aws_s3_bucket_acl", "aws_s3_object",
     "aws_s3_bucket_website_configuration", "aws_s3_access_point", "aws_s3_bucket"],
)  # fmt: skip
def stays_shut(resource: Resource, view: View) -> Iterator[str]:
    kind = resource.type
    if "public_access_block" in kind:
        for name in SHUT:
            if resource.get(name) is not True:
                yield f"{name} is not true"
    elif kind == "aws_s3_access_point":
        for block in blocks(resource.get("public_access_block_configuration")):
            yield from (
                f"{name} is not true" for name in SHUT if look(block, name) not in (True, None)
            )
    elif kind == "aws_s3_bucket_website_configuration":
        yield "it makes a website of the bucket"
    acl = resource.get("acl")
    if acl is not UNKNOWN and acl in (
        "public-read",
        "public-read-write",
        "authenticated-read",
        "website",
    ):
        yield f"acl is {acl}"
    for grant in blocks(look(resource.values, "access_control_policy.0.grant")):
        uri = look(grant, "grantee.0.uri")
        if isinstance(uri, str) and uri.endswith(("AllUsers", "AuthenticatedUsers")):
            yield f"it grants {look(grant, 'permission')} to {uri.rpartition('/')[2]}"


@rule(
    "DRYDOCK_S3_3",
    "A bucket says how it is encrypted and takes TLS alone.",
    "Use module bucket, or add aws_s3_bucket_server_side_encryption_configuration and a policy "
    "that denies aws:SecureTransport = false.",
    ["aws_s3_bucket"],
    related=PARTS,
    alone=False,
)
def bucket_is_encrypted(resource: Resource, view: View) -> Iterator[str]:
    if not parts(resource, PARTS[1], view):
        yield "it has no aws_s3_bucket_server_side_encryption_configuration"
    policies = parts(resource, PARTS[2], view)
    try:
        said = [document(view.value(one, "policy")) for one in policies]
    except ValueError:
        said = []
    # A policy that nobody can read before the apply is refused by DRYDOCK_IAM_1.
    if not any(one is UNKNOWN or denies_plain_transport(one) for one in said):
        yield "its policy does not deny plain HTTP (aws:SecureTransport)"


@rule(
    "DRYDOCK_RET_1",
    "Logs and backups are kept for a stated time.",
    "Set retention_in_days (inventory: log_retention_days), for databases "
    "backup_retention_period of at least a day.",
    ["aws_cloudwatch_log_group", "aws_db_instance", "aws_rds_cluster", "aws_docdb_cluster",
     "aws_neptune_cluster"],
)  # fmt: skip
def retention_is_set(resource: Resource, view: View) -> Iterator[str]:
    log = resource.type == "aws_cloudwatch_log_group"
    name = "retention_in_days" if log else "backup_retention_period"
    if not log and _set(resource.get("replicate_source_db")):
        return
    value = view.value(resource, name)
    if value is UNKNOWN:
        yield f"{name} can't be known before the apply"
    elif not value or int(value) <= 0:
        yield f"{name} is not set" + (", so logs are kept and paid for ever" if log else "")


PROTECTED = {
    "aws_db_instance": {"deletion_protection": True, "skip_final_snapshot": False},
    "aws_rds_cluster": {"deletion_protection": True, "skip_final_snapshot": False},
    "aws_docdb_cluster": {"deletion_protection": True, "skip_final_snapshot": False},
    "aws_neptune_cluster": {"deletion_protection": True, "skip_final_snapshot": False},
    "aws_lb": {"enable_deletion_protection": True},
    "aws_dynamodb_table": {"deletion_protection_enabled": True},
    "aws_s3_bucket": {"force_destroy": False},
    "aws_ecr_repository": {"force_delete": False},
    "aws_backup_vault": {"force_destroy": False},
    "aws_route53_zone": {"force_destroy": False},
    "aws_cognito_user_pool": {"deletion_protection": "ACTIVE"},
    "aws_kinesis_stream": {"enforce_consumer_deletion": False},
}


@rule(
    "DRYDOCK_DEL_1",
    "A protected environment protects what it holds against deletion.",
    "Set it as the inventory's destroy_scope asks for (none protects), through the stack's "
    "variables deletion_protection and force_destroy.",
    list(PROTECTED),
)
def protected_against_deletion(resource: Resource, view: View) -> Iterator[str]:
    if not view.protected:
        return
    for name, wanted in PROTECTED[resource.type].items():
        value = resource.get(name)
        if name == "skip_final_snapshot" and _set(resource.get("replicate_source_db")):
            continue  # its source has the data
        if value is UNKNOWN or (value or False) != wanted:
            shown = "unknown before the apply" if value is UNKNOWN else str(value).lower()
            yield f"{name} is {shown}"
