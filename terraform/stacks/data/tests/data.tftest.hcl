mock_provider "aws" {
  mock_resource "aws_db_instance" {
    defaults = {
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
  security_group_ids  = { load_balancer = "sg-1", workload = "sg-2", database = "sg-3", cache = "sg-4" }
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

run "wrong_inputs_are_refused" {
  command = plan

  variables {
    vpc_id              = "drydock-dev"
    isolated_subnet_ids = ["subnet-1"]
  }

  expect_failures = [var.vpc_id, var.isolated_subnet_ids]
}
