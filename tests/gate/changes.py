"""Changes to the sample stack: what each edits, and what the gate has to say of it.

`edits` are (file, text, instead); text None makes or appends to the file. Changes that don't touch
the same blocks are planned together (a start of Terraform costs seconds): `batches()`. The plans
are real, made by scripts/gate_plans.py and kept in plans/.
"""

# ruff: noqa: E501 (pieces of HCL stand on one line with what they replace)
from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SAMPLE = Path(__file__).parent / "sample"
PLANS = Path(__file__).parent / "plans"
Edit = tuple[str, str | None, str]


@dataclass(frozen=True)
class Change:
    """One change.

    Attributes:
        refused: (rule, address, word) that the sentences have; empty where the change may pass.
        judged: settings of the judgement that differ from those of the sample.
        outside: name of what is done to the API before the plan (gate_plans.py).
        alone: it touches all of the stack.
    """

    name: str
    edits: tuple[Edit, ...] = ()
    refused: tuple[tuple[str, str, str], ...] = ()
    judged: dict[str, Any] = field(default_factory=dict)
    outside: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    alone: bool = False


DATABASE = "aws_db_instance.orders"
RULE = "module.network.aws_vpc_security_group_ingress_rule.database"
BUCKET = "module.store.module.bucket"
MAIN = "main.tf"


def add(text: str) -> tuple[Edit, ...]:
    return (("extra.tf", None, text),)


def edit(old: str, new: str, file: str = MAIN) -> Edit:
    return (file, old, new)


def without(header: str, file: str = MAIN) -> Edit:
    """Take a whole block away."""
    return (file, f"{header} {{", "")


def bad(name: str, edits: tuple[Edit, ...], *refused: tuple[str, str, str], **more: Any) -> Change:
    return Change(name, edits, refused, **more)


NEW_POLICY = """
resource "aws_dynamodb_table" "more" {
  name                        = "more"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "id"
  deletion_protection_enabled = true
  attribute {
    name = "id"
    type = "S"
  }
}
"""
OPEN_GROUP = """
resource "aws_security_group" "open" {
  name   = "open"
  vpc_id = "vpc-12345678"
  dynamic "ingress" {
    for_each = toset(["0.0.0.0/1", "128.0.0.0/1"])
    content {
      from_port   = 443
      to_port     = 443
      protocol    = "tcp"
      cidr_blocks = [ingress.value]
    }
  }
}
"""

BAD = (
    # --- reached from the internet
    bad("module-variable-opens-database", (edit("{ office = var.allow_from }", '{ office = "0.0.0.0/0" }'),),
        ("NET_2", f'{RULE}["office"]', "0.0.0.0/0 in on tcp 5432-5432")),
    bad("root-variable-opens-database", (), ("NET_2", f'{RULE}["office"]', "0.0.0.0/0"),
        ("NET_1", DATABASE, "open to the internet"),
        variables={"allow_from": "0.0.0.0/0"}),
    bad("ipv6-opens-everything", add("""
resource "aws_vpc_security_group_ingress_rule" "six" {
  security_group_id = module.network.group_ids["database"]
  cidr_ipv6         = "::/0"
  ip_protocol       = "-1"
}
"""), ("NET_2", "aws_vpc_security_group_ingress_rule.six", "::/0 in on all ports")),
    bad("two-halves-of-the-internet", add(OPEN_GROUP), ("NET_2", "aws_security_group.open", "0.0.0.0/1")),
    bad("database-in-an-open-group",
        (*add(OPEN_GROUP), edit('[module.network.group_ids["database"]]', "[aws_security_group.open.id]")),
        ("NET_1", DATABASE, "aws_security_group.open, which is open to the internet"),
        ("NET_2", "aws_security_group.open", "")),
    bad("database-in-another-stacks-open-group",
        (edit('[module.network.group_ids["database"]]', '["sg-0123456789abcdef0"]'),),
        ("NET_1", DATABASE, "sg-0123456789abcdef0"), judged={"open_groups": ["sg-0123456789abcdef0"]}),
    bad("public-database", (edit("publicly_accessible         = false", "publicly_accessible         = true"),),
        ("NET_1", DATABASE, "publicly_accessible is true")),
    bad("unknown-range", add("""
resource "terraform_data" "range" {
  input = "0.0.0.0/0"
}
resource "aws_vpc_security_group_ingress_rule" "late" {
  security_group_id = module.network.group_ids["database"]
  cidr_ipv4         = terraform_data.range.output
  ip_protocol       = "tcp"
  from_port         = 22
  to_port           = 22
}
"""), ("NET_2", "aws_vpc_security_group_ingress_rule.late", "0.0.0.0/0")),
    bad("range-from-a-data-source", (*add("""
data "aws_ssm_parameter" "range" {
  name       = "/range"
  depends_on = [aws_sns_topic.later]
}
resource "aws_sns_topic" "later" {
  name              = "later"
  kms_master_key_id = aws_kms_key.data.arn
}
resource "aws_vpc_security_group_ingress_rule" "late" {
  security_group_id = module.network.group_ids["database"]
  cidr_ipv4         = nonsensitive(data.aws_ssm_parameter.range.value)
  ip_protocol       = "tcp"
  from_port         = 22
  to_port           = 22
}
"""),), ("NET_2", "aws_vpc_security_group_ingress_rule.late", "can't be known before the apply")),
    bad("second-load-balancer", add("""
resource "aws_lb" "second" {
  name               = "second"
  load_balancer_type = "network"
  subnets            = module.network.subnet_ids
}
"""), ("NET_3", "aws_lb.second", "internal is not true")),
    bad("node-with-public-address", add("""
resource "aws_launch_template" "node" {
  name = "node"
  network_interfaces {
    associate_public_ip_address = true
  }
}
"""), ("NET_4", "aws_launch_template.node", "associate_public_ip_address")),
    bad("isolated-subnets-get-a-way-out", add("""
resource "aws_internet_gateway" "out" {}
resource "aws_route" "out" {
  route_table_id         = "rtb-12345678"
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.out.id
}
"""), ("NET_5", "aws_route.out", "gateway_id")),
    # --- stored or sent in the clear, public, kept for ever
    bad("unencrypted-volume", add("""
resource "aws_ebs_volume" "data" {
  availability_zone = "us-east-1a"
  size              = 1
}
"""), ("ENC_1", "aws_ebs_volume.data", "encrypted is not true")),
    bad("unencrypted-topic-and-queue", add("""
resource "aws_sns_topic" "plain" {
  name = "plain"
}
resource "aws_sqs_queue" "plain" {
  name                    = "plain"
  sqs_managed_sse_enabled = false
}
"""), ("ENC_1", "aws_sns_topic.plain", "kms_master_key_id"), ("ENC_1", "aws_sqs_queue.plain", "")),
    bad("cache-in-the-clear", add("""
resource "aws_elasticache_replication_group" "cache" {
  replication_group_id       = "cache"
  description                = "cache"
  node_type                  = "cache.t4g.micro"
  at_rest_encryption_enabled = false
  transit_encryption_enabled = false
}
"""), ("ENC_1", "aws_elasticache_replication_group.cache", "at_rest_encryption_enabled"),
        ("ENC_2", "aws_elasticache_replication_group.cache", "transit_encryption_enabled")),
    bad("database-without-forced-tls", add("""
resource "aws_db_parameter_group" "loose" {
  name   = "loose"
  family = "postgres17"
  parameter {
    name  = "rds.force_ssl"
    value = "0"
  }
}
"""), ("ENC_2", "aws_db_parameter_group.loose", "rds.force_ssl is 0")),
    bad("plain-http", add("""
resource "aws_lb_listener" "http" {
  load_balancer_arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/x/1234567890123456"
  port              = 80
  protocol          = "HTTP"
  default_action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      status_code  = "200"
    }
  }
}
"""), ("ENC_2", "aws_lb_listener.http", "plain HTTP")),
    bad("bucket-opened", (edit("block_public_policy     = true", "block_public_policy     = false", "bucket/main.tf"),),
        ("S3_2", f"{BUCKET}.aws_s3_bucket_public_access_block.this", "block_public_policy is not true")),
    bad("bucket-loses-its-block", (without('resource "aws_s3_bucket_public_access_block" "this"', "bucket/main.tf"),),
        ("S3_1", f"{BUCKET}.aws_s3_bucket.this", "no aws_s3_bucket_public_access_block"),
        ("LOSS", f"{BUCKET}.aws_s3_bucket_public_access_block.this", "taken away")),
    bad("bare-bucket", add('resource "aws_s3_bucket" "bare" {\n  bucket = "sample-bare"\n}\n'),
        ("S3_1", "aws_s3_bucket.bare", ""), ("S3_3", "aws_s3_bucket.bare", "deny plain HTTP")),
    bad("bucket-policy-for-everybody", (edit('name = "${var.name}-lake"', """name = "${var.name}-lake"
  statements = jsonencode([{ Effect = "Allow", Principal = "*", Action = "s3:GetObject", Resource = "arn:aws:s3:::x/*" }])""", "store/main.tf"),),
        ("IAM_3", f"{BUCKET}.aws_s3_bucket_policy.this", "everybody")),
    bad("new-buckets-policy-for-everybody", add("""
module "extra" {
  source     = "./bucket"
  name       = "sample-extra"
  statements = jsonencode([{ Effect = "Allow", Principal = { AWS = ["*"] }, Action = "s3:GetObject", Resource = "arn:aws:s3:::x/*" }])
}
"""), ("IAM_3", "module.extra.aws_s3_bucket_policy.this", "everybody")),
    bad("logs-for-ever", (edit("  retention_in_days = 30\n", ""),),
        ("RET_1", "aws_cloudwatch_log_group.tasks", "retention_in_days is not set")),
    bad("no-backups", (edit("backup_retention_period     = 7", "backup_retention_period     = 0"),),
        ("RET_1", DATABASE, "backup_retention_period"), ("LOSS", DATABASE, "backup_retention_period would go from 7 to 0")),
    # --- rights, secrets, tags
    bad("everything-allowed", (edit('Action   = ["dynamodb:GetItem"]\n    Resource = [aws_dynamodb_table.orders.arn]', 'Action   = "*"\n    Resource = "*"'),),
        ("IAM_1", "aws_iam_role_policy.task", "statement ReadTheTable allows all actions on all resources")),
    bad("everything-allowed-unknown-at-plan", (*add(NEW_POLICY), edit("local.reader })", """concat(local.reader, [
    { Effect = "Allow", Action = ["dynamodb:PutItem"], Resource = aws_dynamodb_table.more.arn },
    { Sid = "Hidden", Effect = "Allow", Action = ["*"], Resource = ["*"] },
  ]) })""")), ("IAM_1", "aws_iam_role_policy.task", "statement Hidden allows all actions on all resources")),
    bad("everything-allowed-by-data-source", (*add(NEW_POLICY + """
data "aws_iam_policy_document" "all" {
  statement {
    sid       = "Table"
    actions   = ["dynamodb:PutItem"]
    resources = [aws_dynamodb_table.more.arn]
  }
  statement {
    sid         = "Rest"
    not_actions = ["iam:*"]
    resources   = ["*"]
  }
}
"""), edit("jsonencode({ Version = \"2012-10-17\", Statement = local.reader })", "data.aws_iam_policy_document.all.json")),
        ("IAM_1", "aws_iam_role_policy.task", "statement Rest allows all but some actions")),
    bad("hidden-in-terraform-data", add("""
resource "terraform_data" "text" {
  input = { action = "*", resource = "*" }
}
resource "aws_iam_policy" "hidden" {
  name = "hidden"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = terraform_data.text.output.action, Resource = [terraform_data.text.output.resource] }]
  })
}
"""), ("IAM_1", "aws_iam_policy.hidden", "all actions on all resources")),
    bad("administrator", add("""
resource "aws_iam_role_policy_attachment" "admin" {
  role       = aws_iam_role.task.name
  policy_arn = "arn:aws:iam::aws:policy/AdministratorAccess"
}
"""), ("IAM_2", "aws_iam_role_policy_attachment.admin", "AdministratorAccess")),
    bad("role-for-everybody", (edit('{ Service = "ecs-tasks.amazonaws.com" }', '{ AWS = "*" }'),),
        ("IAM_3", "aws_iam_role.task", "everybody")),
    bad("password-in-a-task", (edit('value = "info"', 'value = "info" }, { name = "DB_PASSWORD", value = "hunter2-planted"'),),
        ("SEC_1", "aws_ecs_task_definition.web", "DB_PASSWORD in the clear")),
    bad("password-in-a-url", (edit('value = "info"', 'value = "info" }, { name = "DATABASE", value = "postgres://orders:hunter2-planted@db/orders"'),),
        ("SEC_1", "aws_ecs_task_definition.web", "key or a password")),
    bad("writable-root", (edit("readonlyRootFilesystem = true", "readonlyRootFilesystem = false"),),
        ("RUN_1", "aws_ecs_task_definition.web", "container web can write to its root")),
    bad("task-as-root", (edit('user        = "10001:10001"', 'user        = "0:0"\n    privileged  = true'),),
        ("RUN_1", "aws_ecs_task_definition.web", "container web runs as 0"),
        ("RUN_1", "aws_ecs_task_definition.web", "container web is privileged")),
    bad("password-of-the-database", (edit("manage_master_user_password = true", 'password = "hunter2-planted"'),),
        ("SEC_1", DATABASE, "password would be in the state")),
    bad("secret-in-the-state", add("""
resource "aws_secretsmanager_secret" "api" {
  name = "api"
}
resource "aws_secretsmanager_secret_version" "api" {
  secret_id     = aws_secretsmanager_secret.api.id
  secret_string = "hunter2-planted"
}
"""), ("SEC_1", "aws_secretsmanager_secret_version.api", "secret_string_wo")),
    bad("tag-missing", (edit("      Owner       = \"platform-team\"\n", ""),), ("TAG_1", "aws_sns_topic.news", "no tag Owner"), alone=True),
    bad("tag-emptied", (edit("name              = local.name\n  kms", 'name              = local.name\n  tags = { CostCenter = "" }\n  kms'),),
        ("TAG_1", "aws_sns_topic.news", "no tag CostCenter")),
    bad("tag-of-another-environment", (edit("name              = local.name\n  kms", 'name              = local.name\n  tags = { Environment = "prod" }\n  kms'),),
        ("TAG_1", "aws_sns_topic.news", "Environment is prod")),
    # --- data taken away
    bad("database-deleted", (without('resource "aws_db_instance" "orders"'),), ("LOSS", DATABASE, "would be destroyed")),
    bad("database-renamed-in-the-code", (edit('"aws_db_instance" "orders"', '"aws_db_instance" "trades"'),),
        ("LOSS", DATABASE, "would be destroyed")),
    bad("database-replaced", (edit('username                    = "orders"', 'username                    = "owner"'),),
        ("LOSS", DATABASE, "destroyed, then made anew, empty), forced by username")),
    bad("database-replaced-in-the-other-order", (edit('username                    = "orders"', 'username                    = "owner"\n  lifecycle {\n    create_before_destroy = true\n  }\n'),),
        ("LOSS", DATABASE, "made anew, empty, then destroyed), forced by username")),
    bad("database-forgotten", (without('resource "aws_db_instance" "orders"'), *add("""
removed {
  from = aws_db_instance.orders
  lifecycle {
    destroy = false
  }
}
""")), ("LOSS", DATABASE, "would forget it")),
    bad("database-moved-and-replaced", (edit('"aws_db_instance" "orders"', '"aws_db_instance" "trades"'),
        edit('username                    = "orders"', 'username                    = "owner"'),
        *add("moved {\n  from = aws_db_instance.orders\n  to   = aws_db_instance.trades\n}\n")),
        ("LOSS", "aws_db_instance.trades", "replaced")),
    bad("database-decrypted", (edit("storage_encrypted           = true\n  kms_key_id                  = aws_kms_key.data.arn", "storage_encrypted           = false"),),
        ("LOSS", DATABASE, "replaced"), ("ENC_1", DATABASE, "storage_encrypted is not true")),
    bad("key-replaced", (edit("enable_key_rotation     = true", 'enable_key_rotation     = false\n  customer_master_key_spec = "RSA_2048"\n  key_usage = "ENCRYPT_DECRYPT"'),),
        ("LOSS", "aws_kms_key.data", "replaced"), alone=True),
    bad("stream-replaced", (edit("  name             = local.name\n  shard", "  name             = \"other\"\n  shard"),),
        ("LOSS", "aws_kinesis_stream.trades", "replaced")),
    bad("bucket-replaced-in-a-nested-module", (edit('"${var.name}-lake"', '"${var.name}-sea"', "store/main.tf"),),
        ("LOSS", f"{BUCKET}.aws_s3_bucket.this", "replaced")),
    bad("protection-dropped", (edit("deletion_protection         = true", "deletion_protection         = false"),),
        ("LOSS", DATABASE, "deletion_protection was on and would be off")),
    bad("recovery-dropped", (edit("    enabled = true\n", "    enabled = false\n"),), ("LOSS", "aws_dynamodb_table.orders", "point_in_time_recovery")),
    bad("versions-dropped", (edit('status = "Enabled"', 'status = "Suspended"', "bucket/main.tf"),),
        ("LOSS", f"{BUCKET}.aws_s3_bucket_versioning.this", "no longer be Enabled")),
    bad("records-kept-shorter", (edit("retention_period = 48", "retention_period = 24"),), ("LOSS", "aws_kinesis_stream.trades", "from 48 to 24")),
    bad("unprotected-in-prod", (edit("deletion_protection_enabled = true", "deletion_protection_enabled = false"),),
        ("DEL_1", "aws_dynamodb_table.orders", "deletion_protection_enabled is false"), judged={"protected": True}),
    bad("force-destroy-in-prod", (edit('name = "${var.name}-lake"', 'name = "${var.name}-lake"\n  force_destroy = true', "store/main.tf"),),
        ("DEL_1", f"{BUCKET}.aws_s3_bucket.this", "force_destroy is true"),
        ("LOSS", f"{BUCKET}.aws_s3_bucket.this", "force_destroy would be turned on"), judged={"protected": True}),
    # --- two at once, another's plan, what came from outside
    bad("two-at-once", (edit("  retention_in_days = 30\n", ""), edit("{ office = var.allow_from }", '{ office = "0.0.0.0/0" }')),
        ("RET_1", "aws_cloudwatch_log_group.tasks", ""), ("NET_2", RULE, "")),
    bad("plan-of-another-environment", (edit("retention_in_days = 30", "retention_in_days = 60"),),
        ("FOREIGN", "", "environment local, and this is prod"), judged={"environment": "prod"}),
    bad("plan-of-another-account", (edit("retention_in_days = 30", "retention_in_days = 60"),),
        ("FOREIGN", "", "123456789012"), judged={"account_id": "333333333333"}),
    bad("bare-bucket-imported", add("""
import {
  to = aws_s3_bucket.found
  id = "found-outside"
}
resource "aws_s3_bucket" "found" {
  bucket = "found-outside"
}
"""), ("S3_1", "aws_s3_bucket.found", ""), outside="bucket"),
)  # fmt: skip

HARMLESS = (
    Change("a-tag-more", (edit("name              = local.name\n  kms", 'name              = local.name\n  tags = { Team = "news" }\n  kms'),)),
    Change("an-unknown-tag", add("""
resource "aws_sns_topic" "second" {
  name              = "second"
  kms_master_key_id = aws_kms_key.data.arn
  tags              = { Policy = aws_sqs_queue.second.arn }
}
resource "aws_sqs_queue" "second" {
  name                    = "second"
  sqs_managed_sse_enabled = true
}
""")),
    Change("bigger-task", (edit("cpu                      = 256", "cpu                      = 512"), edit("memory                   = 512", "memory                   = 1024"))),
    Change("bigger-database", (edit("db.t4g.micro", "db.t4g.small"),)),
    Change("longer-kept", (edit("retention_in_days = 30", "retention_in_days = 90"), edit("retention_period = 48", "retention_period = 72"))),
    Change("another-bucket", add('module "extra" {\n  source = "./bucket"\n  name   = "sample-extra"\n}\n')),
    Change("a-grant-on-what-is-made-with-it", (*add(NEW_POLICY), edit("local.reader })", """concat(local.reader, [
    { Effect = "Allow", Action = ["dynamodb:PutItem"], Resource = [aws_dynamodb_table.more.arn, "${aws_dynamodb_table.more.arn}/index/*"] },
  ]) })"""))),
    Change("a-grant-by-data-source", (*add(NEW_POLICY + """
data "aws_iam_policy_document" "table" {
  statement {
    actions   = ["dynamodb:PutItem"]
    resources = [aws_dynamodb_table.more.arn]
  }
}
"""), edit('jsonencode({ Version = "2012-10-17", Statement = local.reader })', "data.aws_iam_policy_document.table.json"))),
    Change("database-moved", (edit('"aws_db_instance" "orders"', '"aws_db_instance" "trades"'),
        *add("moved {\n  from = aws_db_instance.orders\n  to   = aws_db_instance.trades\n}\n"))),
    Change("rule-narrowed", (), variables={"allow_from": "10.0.8.0/24"}),
    Change("rule-removed", (edit("{ office = var.allow_from }", "{}"),)),
    Change("grant-removed", (without('resource "aws_iam_role_policy" "task"'),)),
    Change("group-made-with-its-rule", add("""
resource "aws_security_group" "inner" {
  name   = "inner"
  vpc_id = "vpc-12345678"
}
resource "aws_vpc_security_group_ingress_rule" "inner" {
  security_group_id            = aws_security_group.inner.id
  referenced_security_group_id = aws_security_group.inner.id
  ip_protocol                  = "-1"
}
resource "aws_security_group" "leaves" {
  name   = "leaves"
  vpc_id = "vpc-12345678"
  egress {
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
}
""")),
    Change("log-group-imported", add("""
import {
  to = aws_cloudwatch_log_group.found
  id = "/found/outside"
}
resource "aws_cloudwatch_log_group" "found" {
  name              = "/found/outside"
  retention_in_days = 30
}
"""), outside="log-group"),
)  # fmt: skip
CHANGES = (*BAD, *HARMLESS)


def load(name: str) -> dict[str, Any]:
    """Return a plan; of what stays as it is, it is kept once."""
    plan: dict[str, Any] = json.loads((PLANS / f"{name}.json").read_text())
    for entry in plan["resource_changes"]:
        if entry["change"]["actions"] == ["no-op"]:
            entry["change"]["after"] = entry["change"]["before"]
    return plan


HEADER = re.compile(r"^(?:resource|data|module|locals|provider|removed|import|moved)\b[^{]*", re.M)


def blocks_of(change: Change) -> set[str]:
    """Return the blocks that a change touches or adds."""
    found = set()
    for name, old, new in change.edits:
        if old is None:
            found |= {one for one in HEADER.findall(new) if ' "' in one}
            continue
        text = (SAMPLE / name).read_text()
        start = text.index(old)
        before = [one for one in HEADER.finditer(text) if one.start() <= start]
        found.add(f"{name if name != MAIN else ''}{before[-1].group()}")
    return found


def batches() -> dict[str, list[Change]]:
    """Return changes that are planned together, by the name of their plan."""
    made: list[tuple[list[Change], set[str]]] = []
    for kind in (BAD, HARMLESS):
        fresh: list[tuple[list[Change], set[str]]] = []
        for change in kind:
            touched = blocks_of(change)
            single = change.alone or bool(change.variables)
            for held, blocks in [] if single else fresh:
                if not touched & blocks and not any(one.alone or one.variables for one in held):
                    held.append(change)
                    blocks |= touched
                    break
            else:
                fresh.append(([change], touched))
        made += fresh
    return {held[0].name: held for held, _ in made}


def edited(changes: list[Change], folder: Path) -> None:
    """Lay a copy of the sample with changes in a folder."""
    shutil.copytree(SAMPLE, folder, dirs_exist_ok=True)
    for change in changes:
        _edit(change, folder)


def _edit(change: Change, folder: Path) -> None:
    for name, old, new in change.edits:
        path = folder / name
        text = path.read_text() if path.exists() else ""
        if old is None:
            path.write_text(text + new)
            continue
        if old not in text:
            raise LookupError(f"{change.name}: {name} does not hold {old!r}")
        if old.endswith(" {") and not new:  # a whole block
            start = text.index(old)
            old = text[start : text.index("\n}\n", start) + 3]
        path.write_text(text.replace(old, new))
