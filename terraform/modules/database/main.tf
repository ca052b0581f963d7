locals {
  major_version = split(".", var.engine_version)[0]
}

resource "aws_db_subnet_group" "this" {
  name        = var.name
  description = "Isolated subnets of ${var.name}"
  subnet_ids  = var.subnet_ids
}

resource "aws_db_parameter_group" "this" {
  # The family is part of the name: a major upgrade needs the new group to stand
  # beside the old one until the instance has moved over.
  name        = "${var.name}-postgres${local.major_version}"
  description = "PostgreSQL ${local.major_version} of ${var.name}"
  family      = "postgres${local.major_version}"

  parameter {
    name         = "rds.force_ssl"
    value        = "1"
    apply_method = "immediate"
  }

  # Said here rather than left to the instance's memory, because an alarm follows from it.
  # A change takes effect with the next reboot: it sizes the server's shared memory.
  parameter {
    name         = "max_connections"
    value        = tostring(var.max_connections)
    apply_method = "pending-reboot"
  }

  # Off: the server would end every such session alike, a migration's and a person's too. The
  # alarm on connections calls for a runbook that ends only those it can account for.
  parameter {
    name         = "idle_in_transaction_session_timeout"
    value        = "0"
    apply_method = "immediate"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_db_instance" "this" {
  identifier     = var.name
  engine         = "postgres"
  engine_version = var.engine_version
  instance_class = var.instance_class

  storage_type          = "gp3"
  allocated_storage     = var.allocated_storage
  max_allocated_storage = var.max_allocated_storage
  storage_encrypted     = true
  kms_key_id            = var.kms_key_arn

  # RDS makes and keeps the master password; it never passes through Terraform's state.
  db_name                       = var.database_name
  username                      = var.master_username
  manage_master_user_password   = true
  master_user_secret_kms_key_id = var.kms_key_arn

  multi_az               = var.multi_az
  port                   = var.port
  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [var.security_group_id]
  parameter_group_name   = aws_db_parameter_group.this.name
  publicly_accessible    = false

  backup_retention_period   = var.backup_retention_days
  backup_window             = "03:00-04:00"
  maintenance_window        = "sun:04:30-sun:05:30"
  copy_tags_to_snapshot     = true
  delete_automated_backups  = var.skip_final_snapshot
  skip_final_snapshot       = var.skip_final_snapshot
  final_snapshot_identifier = var.skip_final_snapshot ? null : "${var.name}-final"
  deletion_protection       = var.deletion_protection

  auto_minor_version_upgrade = true
  apply_immediately          = var.apply_immediately

  # What the stack recovery takes into its daily backups.
  tags = { Backup = "daily" }
}

# Copies that only read, behind by milliseconds. Encryption, subnets and storage are the primary's.
resource "aws_db_instance" "replica" {
  #checkov:skip=CKV_AWS_157:a replica is a second copy already; the primary has the standby
  count = var.read_replicas

  identifier          = "${var.name}-replica-${count.index + 1}"
  replicate_source_db = aws_db_instance.this.identifier
  instance_class      = var.instance_class
  storage_encrypted   = true

  vpc_security_group_ids = [var.security_group_id]
  parameter_group_name   = aws_db_parameter_group.this.name
  publicly_accessible    = false

  # What it holds can be read from the primary again.
  backup_retention_period = 0
  skip_final_snapshot     = true
  copy_tags_to_snapshot   = true
  deletion_protection     = var.deletion_protection
  maintenance_window      = "sun:06:00-sun:07:00" # after the primary's

  auto_minor_version_upgrade = true
  apply_immediately          = var.apply_immediately
}
