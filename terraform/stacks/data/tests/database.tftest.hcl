mock_provider "aws" {}

variables {
  name                  = "drydock-dev"
  subnet_ids            = ["subnet-1", "subnet-2"]
  security_group_id     = "sg-database"
  kms_key_arn           = "arn:aws:kms:us-east-1:123456789012:key/data"
  database_name         = "trading"
  master_username       = "drydock"
  instance_class        = "db.t4g.micro"
  engine_version        = "17"
  allocated_storage     = 20
  max_allocated_storage = 100
  max_connections       = 60
  multi_az              = true
  backup_retention_days = 7
  deletion_protection   = true
  skip_final_snapshot   = false
  apply_immediately     = false
}

run "the_database_is_closed_encrypted_and_backed_up" {
  command = plan

  module {
    source = "../../modules/database"
  }

  assert {
    condition     = aws_db_instance.this.storage_encrypted && aws_db_instance.this.kms_key_id == "arn:aws:kms:us-east-1:123456789012:key/data"
    error_message = "storage must be encrypted with the environment's key"
  }

  assert {
    condition     = aws_db_instance.this.manage_master_user_password && aws_db_instance.this.password == null && aws_db_instance.this.master_user_secret_kms_key_id == "arn:aws:kms:us-east-1:123456789012:key/data"
    error_message = "RDS must manage the master password, so that no state holds it"
  }

  assert {
    condition     = !aws_db_instance.this.publicly_accessible && aws_db_instance.this.vpc_security_group_ids == toset(["sg-database"])
    error_message = "the database must not be reachable from outside the VPC"
  }

  assert {
    condition = anytrue([
      for parameter in aws_db_parameter_group.this.parameter : parameter.name == "rds.force_ssl" && parameter.value == "1"
    ])
    error_message = "connections without TLS must be refused"
  }

  assert {
    condition = {
      for parameter in aws_db_parameter_group.this.parameter : parameter.name => "${parameter.value} ${parameter.apply_method}"
      } == {
      max_connections                     = "60 pending-reboot"
      idle_in_transaction_session_timeout = "0 immediate"
      "rds.force_ssl"                     = "1 immediate"
    }
    error_message = "max_connections takes a reboot; sessions idle in a transaction are left to the runbook"
  }

  assert {
    condition     = aws_db_parameter_group.this.family == "postgres17" && aws_db_parameter_group.this.name == "drydock-dev-postgres17"
    error_message = "the parameter group must follow the major version"
  }

  assert {
    condition     = aws_db_instance.this.backup_retention_period == 7 && aws_db_instance.this.final_snapshot_identifier == "drydock-dev-final" && !aws_db_instance.this.delete_automated_backups
    error_message = "backups must be made, and must outlive the instance"
  }

  assert {
    condition     = aws_db_instance.this.multi_az && aws_db_instance.this.deletion_protection
    error_message = "standby and deletion protection must follow their variables"
  }
}

run "wrong_inputs_are_refused" {
  command = plan

  module {
    source = "../../modules/database"
  }

  variables {
    name                  = "Drydock--dev"
    database_name         = "trading-db"
    master_username       = "postgres"
    instance_class        = "t4g.micro"
    engine_version        = "mysql8"
    max_allocated_storage = 10
    max_connections       = 10
    backup_retention_days = 90
  }

  expect_failures = [
    var.name,
    var.database_name,
    var.master_username,
    var.instance_class,
    var.engine_version,
    var.max_allocated_storage,
    var.max_connections,
    var.backup_retention_days,
  ]
}

run "too_small_a_volume_is_refused" {
  command = plan

  module {
    source = "../../modules/database"
  }

  variables {
    allocated_storage = 5
  }

  expect_failures = [var.allocated_storage]
}

run "replicas_read_and_nothing_else" {
  command = plan

  module {
    source = "../../modules/database"
  }

  variables {
    read_replicas = 2
  }

  assert {
    condition     = aws_db_instance.replica[*].identifier == ["drydock-dev-replica-1", "drydock-dev-replica-2"] && alltrue([for replica in aws_db_instance.replica : replica.replicate_source_db == "drydock-dev"])
    error_message = "replicas must follow the primary, and be known by a name of their own"
  }

  assert {
    condition     = alltrue([for replica in aws_db_instance.replica : !replica.publicly_accessible && replica.storage_encrypted && replica.vpc_security_group_ids == toset(["sg-database"])])
    error_message = "a replica holds the same data, so it must be as closed as the primary"
  }
}

run "a_replica_needs_a_backup_to_begin_with" {
  command = plan

  module {
    source = "../../modules/database"
  }

  variables {
    read_replicas         = 6
    backup_retention_days = 0
  }

  expect_failures = [var.read_replicas]
}

run "copies_of_backups_are_encrypted_where_they_are" {
  command = plan

  module {
    source = "../../modules/database_backup_copy"
  }

  variables {
    account_id     = "123456789012"
    region         = "us-west-2"
    database_arn   = "arn:aws:rds:us-east-1:123456789012:db:drydock-dev"
    retention_days = 14
  }

  assert {
    condition     = aws_db_instance_automated_backups_replication.this.retention_period == 14 && aws_db_instance_automated_backups_replication.this.source_db_instance_arn == var.database_arn
    error_message = "the copies must be this database's, for as long as was asked"
  }
}

run "a_copy_beside_its_original_is_refused" {
  command = plan

  module {
    source = "../../modules/database_backup_copy"
  }

  variables {
    account_id     = "123456789012"
    region         = "us-east-1"
    database_arn   = "arn:aws:rds:us-east-1:123456789012:db:drydock-dev"
    retention_days = 60
  }

  expect_failures = [var.region, var.retention_days]
}
