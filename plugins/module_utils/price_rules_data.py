"""How stores, messages, watching and guarding are billed: the rules beside price_rules."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.drydock.ops.plugins.module_utils.price_rules import (
    HOURS,
    RULES,
    Context,
    Line,
    Resource,
    Unpriced,
    block,
    rule,
)

__all__ = ["RULES"]

# What keeps data.

# vCPUs of an instance class by its size, as RDS Proxy counts them.
VCPUS = {"micro": 2, "small": 2, "medium": 2, "large": 2, "xlarge": 4, "2xlarge": 8, "4xlarge": 16}


@rule("aws_db_instance")
def database(resource: Resource, context: Context) -> Iterator[Line]:
    values = resource.values
    engine = values.get("engine") or "postgres"
    if engine != "postgres":
        raise Unpriced(f"engine is {engine}, for which there are no prices")
    kind, copies = values["instance_class"], 2 if values.get("multi_az") else 1
    name = f"{kind}, two zones" if copies == 2 else kind
    yield Line(name, HOURS * copies, f"rds_postgres.{kind}")
    yield Line("storage", copies * (values.get("allocated_storage") or 20), "rds.gp3_gb")
    if values.get("backup_retention_period"):
        yield context.use("backups", "database_backup_gb", "rds.backup_gb")
    if values.get("manage_master_user_password"):
        yield Line("master secret", 1, "secrets.secret")


@rule("aws_db_proxy")
def proxy(resource: Resource, context: Context) -> Iterator[Line]:
    databases = [one for one in context.resources if one.type == "aws_db_instance"]
    databases = [one for one in databases if not one.values.get("replicate_source_db")]
    if len(databases) != 1:
        raise Unpriced(f"{len(databases)} databases stand in its stack, not one to stand before")
    kind = databases[0].values["instance_class"]
    vcpus = VCPUS.get(kind.rsplit(".", 1)[-1])
    if vcpus is None:
        raise Unpriced(f"how many vCPUs {kind} has is not in the rule")
    yield Line(f"vCPUs of {kind}", HOURS * vcpus, "rds.proxy_vcpu_hour")


@rule("aws_db_instance_automated_backups_replication")
def backups_elsewhere(_resource: Resource, context: Context) -> Iterator[Line]:
    yield context.use("backups kept there", "database_copy_gb", "rds.backup_gb")
    yield context.use("sent there", "database_copy_gb", "data_transfer.region_gb")


@rule("aws_elasticache_replication_group")
def cache(resource: Resource, context: Context) -> Iterator[Line]:
    values = resource.values
    nodes = values.get("num_cache_clusters") or (values.get("num_node_groups") or 1) * (
        1 + (values.get("replicas_per_node_group") or 0)
    )
    kind = values["node_type"]
    yield Line(f"nodes {kind}", HOURS * nodes, f"elasticache_{values['engine']}.{kind}")
    if values.get("snapshot_retention_limit"):
        yield context.use("snapshots", "cache_snapshot_gb", "elasticache.backup_gb")


@rule("aws_dynamodb_table")
def table(resource: Resource, context: Context) -> Iterator[Line]:
    if resource.values.get("billing_mode") != "PAY_PER_REQUEST":
        raise Unpriced("billing_mode is PROVISIONED, for which there is no rule")
    yield context.use("writes", "table_writes", "dynamodb.writes")
    yield context.use("reads", "table_reads", "dynamodb.reads")
    yield context.use("storage", "table_gb", "dynamodb.gb")
    if block(resource.values.get("point_in_time_recovery")).get("enabled"):
        yield context.use("restore to any second", "table_gb", "dynamodb.pitr_gb")


@rule("aws_s3_bucket")
def bucket(_resource: Resource, context: Context) -> Iterator[Line]:
    yield context.use("storage", "bucket_gb", "s3.gb")
    yield context.use("writes", "bucket_writes", "s3.writes")
    yield context.use("reads", "bucket_reads", "s3.reads")


@rule("aws_s3_bucket_replication_configuration")
def replication(_resource: Resource, context: Context) -> Iterator[Line]:
    yield context.use("sent to the other region", "replicated_gb", "data_transfer.region_gb")


@rule("aws_ecr_repository")
def repository(_resource: Resource, context: Context) -> Iterator[Line]:
    yield context.use("images", "image_gb", "ecr.gb")


@rule("aws_backup_plan")
def backup_plan(resource: Resource, context: Context) -> Iterator[Line]:
    yield context.use("recovery points", "backup_gb", "backup.gb")
    if any(one.get("copy_action") for one in resource.values.get("rule") or []):
        yield context.use("copies in the other region", "backup_copy_gb", "backup.gb")
        yield context.use("sent there", "backup_copy_gb", "data_transfer.region_gb")


@rule("aws_kms_key", "aws_kms_replica_key")
def key(_resource: Resource, context: Context) -> Iterator[Line]:
    yield Line("key", 1, "kms.key")
    yield context.use("requests", "key_requests", "kms.requests")


@rule("aws_secretsmanager_secret")
def secret(_resource: Resource, context: Context) -> Iterator[Line]:
    yield Line("secret", 1, "secrets.secret")
    yield context.use("reads", "secret_calls", "secrets.calls")


@rule("aws_ssm_parameter")
def parameter(resource: Resource, _context: Context) -> Iterator[Line]:
    if resource.values.get("tier") == "Advanced":
        yield Line("parameter", 1, "ssm.advanced")


# What carries messages.


@rule("aws_kinesis_stream")
def stream(resource: Resource, context: Context) -> Iterator[Line]:
    values = resource.values
    days = (values.get("retention_period") or 24) / 24
    if block(values.get("stream_mode_details")).get("stream_mode") == "ON_DEMAND":
        yield Line("hours", HOURS, "kinesis.on_demand_hour")
        yield context.use("data in", "stream_gb", "kinesis.in_gb")
        readers = context.amount("stream_readers")
        yield context.use("data out", "stream_gb", "kinesis.out_gb", readers)
        if days > 1:
            yield context.use("kept beyond a day", "stream_gb", "kinesis.kept_gb", (days - 1) / 30)
        return
    shards = values.get("shard_count") or 1
    yield Line("shards", HOURS * shards, "kinesis.shard_hour")
    yield context.use("records put", "stream_units", "kinesis.units")
    if days > 1:
        yield Line("kept beyond a day", HOURS * shards, "kinesis.kept_shard_hour")


@rule("aws_kinesis_firehose_delivery_stream")
def delivery(_resource: Resource, context: Context) -> Iterator[Line]:
    yield context.use("data delivered", "stream_gb", "firehose.gb")


@rule("aws_sqs_queue")
def queue(_resource: Resource, context: Context) -> Iterator[Line]:
    yield context.use("requests", "queue_requests", "sqs.requests")


@rule("aws_sns_topic")
def topic(_resource: Resource, context: Context) -> Iterator[Line]:
    yield context.use("messages", "topic_requests", "sns.requests")


# What watches.


@rule("aws_cloudwatch_log_group")
def log_group(resource: Resource, context: Context) -> Iterator[Line]:
    yield context.use("logs taken in", "log_gb", "cloudwatch.log_gb")
    # 0 keeps for ever: a year's worth is counted.
    months = (resource.values.get("retention_in_days") or 365) / 30
    yield context.use("logs kept", "log_gb", "cloudwatch.log_kept_gb", months)


@rule("aws_cloudwatch_log_metric_filter")
def metric_filter(_resource: Resource, _context: Context) -> Iterator[Line]:
    yield Line("metric", 1, "cloudwatch.metric")


@rule("aws_cloudwatch_metric_alarm")
def alarm(resource: Resource, _context: Context) -> Iterator[Line]:
    metrics = [
        block(query.get("metric"))
        for query in resource.values.get("metric_query") or []
        if query.get("metric")
    ] or [resource.values]
    quick = any((one.get("period") or 60) < 60 for one in metrics)
    row = "cloudwatch.alarm_quick" if quick else "cloudwatch.alarm"
    yield Line("metrics watched", len(metrics), row)


@rule("aws_cloudwatch_composite_alarm")
def composite(_resource: Resource, _context: Context) -> Iterator[Line]:
    yield Line("alarm", 1, "cloudwatch.composite")


@rule("aws_cloudwatch_dashboard")
def dashboard(_resource: Resource, _context: Context) -> Iterator[Line]:
    yield Line("dashboard", 1, "cloudwatch.dashboard")


# What guards.


@rule("aws_cloudtrail")
def trail(resource: Resource, context: Context) -> Iterator[Line]:
    # The first copy of management events is free; its bucket is billed as one.
    if resource.values.get("event_selector") or resource.values.get("advanced_event_selector"):
        yield context.use("data events", "trail_events", "cloudtrail.data_events")


@rule("aws_config_configuration_recorder")
def recorder(resource: Resource, context: Context) -> Iterator[Line]:
    mode = block(resource.values.get("recording_mode")).get("recording_frequency", "CONTINUOUS")
    if mode == "DAILY":
        yield context.use("changes recorded", "config_daily_items", "config.daily_item")
    else:
        yield context.use("changes recorded", "config_items", "config.item")


@rule("aws_config_config_rule")
def config_rule(_resource: Resource, context: Context) -> Iterator[Line]:
    yield context.use("evaluations", "config_evaluations", "config.evaluation")


@rule("aws_guardduty_detector")
def detector(resource: Resource, context: Context) -> Iterator[Line]:
    if resource.values.get("enable") is False:
        return
    yield context.use("events read", "guardduty_events", "guardduty.events")
    yield context.use("logs read", "guardduty_gb", "guardduty.gb")


@rule("aws_guardduty_detector_feature")
def detector_feature(resource: Resource, context: Context) -> Iterator[Line]:
    name = resource.values.get("name")
    if resource.values.get("status") != "ENABLED":
        return
    if name == "S3_DATA_EVENTS":
        yield context.use("S3 events read", "guardduty_s3_events", "guardduty.s3_events")
    elif name == "RDS_LOGIN_EVENTS":
        yield context.use("databases watched", "database_vcpus", "guardduty.database_vcpu")
    else:
        yield context.use(f"{name} read", "guardduty_extra_gb", "guardduty.gb")


@rule("aws_securityhub_standards_subscription")
def standard(_resource: Resource, context: Context) -> Iterator[Line]:
    yield context.use("checks", "security_checks", "securityhub.check")


@rule("aws_accessanalyzer_analyzer")
def analyzer(resource: Resource, context: Context) -> Iterator[Line]:
    # Access from outside is found for nothing.
    if "UNUSED_ACCESS" in (resource.values.get("type") or ""):
        yield context.use("roles watched", "roles", "access_analyzer.role")


@rule("aws_shield_protection", "aws_shield_subscription")
def shield(resource: Resource, context: Context) -> Iterator[Line]:
    first = next(one for one in context.resources if one.type.startswith("aws_shield_"))
    if resource.address == first.address:  # however many are protected
        yield Line("subscription", 1, "shield.subscription")
