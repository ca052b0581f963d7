mock_provider "aws" {
  alias = "standby"

  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:us-west-2:123456789012:key/copies" }
  }
}

mock_provider "aws" {
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/drydock-dev-database-proxy" }
  }

  mock_resource "aws_secretsmanager_secret" {
    defaults = { arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:drydock-dev/one-a" }
  }

  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:us-east-1:123456789012:function:rotate" }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:rotate" }
  }

  mock_resource "aws_db_proxy_default_target_group" {
    defaults = { name = "default" }
  }

  mock_resource "aws_db_instance" {
    defaults = {
      arn                = "arn:aws:rds:us-east-1:123456789012:db:drydock-dev"
      address            = "database.example"
      master_user_secret = [{ secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1" }]
    }
  }
}

variables {
  environment         = "dev"
  account_id          = "123456789012"
  region              = "us-east-1"
  owner               = "platform"
  cost_center         = "trading"
  vpc_id              = "vpc-1"
  isolated_subnet_ids = ["subnet-1", "subnet-2"]
  security_group_ids  = { load_balancer = "sg-1", workload = "sg-2", database = "sg-3", database_proxy = "sg-5", cache = "sg-4" }
  kms_key_arn         = "arn:aws:kms:us-east-1:123456789012:key/data"
}

run "defaults_are_the_safe_side" {
  assert {
    condition     = output.database_identifier == "drydock-dev" && output.database_name == "trading"
    error_message = "the platform stack knows the database by the name drydock-<environment>"
  }

  assert {
    condition     = output.database_master_secret_arn == "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1"
    error_message = "releases take user and password from the secret that RDS manages"
  }

  assert {
    condition     = output.cache_tls && output.cache_port == 6379 && output.database_port == 5432
    error_message = "releases build their addresses from these outputs"
  }
}

run "a_proxy_only_where_it_is_asked_for" {
  assert {
    condition     = output.database_proxy_address == null && output.database_proxy_name == null && output.database_max_connections == 80
    error_message = "without database.proxy there must be no proxy, and its address must say so"
  }
}

run "the_proxy_stands_before_this_database" {
  variables {
    database = { proxy = true, max_connections = 60 }
  }

  assert {
    condition     = output.database_proxy_name == "drydock-dev" && output.database_proxy_address != null
    error_message = "with database.proxy workloads can be led to its address"
  }

  assert {
    condition     = output.database_max_connections == 60
    error_message = "the alarm's threshold follows from the server's limit"
  }
}

run "wrong_inputs_are_refused" {
  command = plan

  variables {
    vpc_id              = "drydock-dev"
    isolated_subnet_ids = ["subnet-1"]
  }

  expect_failures = [var.vpc_id, var.isolated_subnet_ids]
}

run "copies_go_to_another_region_only_where_there_is_one" {
  variables {
    database_backup_copy_days = 7
  }

  assert {
    condition     = output.database_backup_copy_arn == null
    error_message = "without a standby region there is nowhere to copy to"
  }
}

run "a_user_of_the_cache_has_its_secret" {
  variables {
    cache                     = { users = true }
    secrets                   = { payment-signing = { description = "Signs payments" } }
    standby_region            = "us-west-2"
    database_backup_copy_days = 7
    database                  = { read_replicas = 2 }
  }

  assert {
    condition     = output.cache_secret_arn != null && toset(keys(output.secret_arns)) == toset(["cache", "payment-signing"])
    error_message = "workloads take the cache's address with user and password out of its secret"
  }

  assert {
    condition     = output.database_backup_copy_arn != null && length(output.database_replica_addresses) == 2
    error_message = "copies and replicas must be there when they are asked for"
  }
}

run "what_would_have_no_effect_is_refused" {
  command = plan

  variables {
    database                  = { backup_retention_days = 0 }
    database_backup_copy_days = 7
  }

  expect_failures = [var.database_backup_copy_days]
}
