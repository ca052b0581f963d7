mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = {
      names = ["us-east-1a", "us-east-1b"]
    }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:/drydock-dev/flow-logs" }
  }

  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::drydock-dev-flow-logs-123456789012" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/drydock-dev-flow-logs" }
  }

  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:us-east-1:123456789012:key/data" }
  }
}

variables {
  environment = "dev"
  account_id  = "123456789012"
  region      = "us-east-1"
  owner       = "platform"
  cost_center = "trading"
  vpc_cidr    = "10.20.0.0/16"
  nat_mode    = "none"
  flow_logs   = { destination = "cloudwatch", retention_days = 7 }
}

run "every_tier_and_group_is_put_out" {
  assert {
    condition     = length(output.public_subnet_ids) == 2 && length(output.private_subnet_ids) == 2 && length(output.isolated_subnet_ids) == 2
    error_message = "each tier must have one subnet per zone"
  }

  assert {
    condition     = join(" ", keys(output.security_group_ids)) == "cache database database_proxy load_balancer workload"
    error_message = "data and platform find their security groups by these names"
  }
}

run "images_come_in_without_a_nat_gateway" {
  variables {
    interface_endpoints = ["ecr.api", "ecr.dkr", "logs", "secretsmanager"]
    flow_logs           = { destination = "s3", retention_days = 30 }
  }

  assert {
    condition     = join(" ", keys(output.endpoint_ids)) == "dynamodb ecr.api ecr.dkr logs s3 secretsmanager" && length(output.nat_public_ips) == 0
    error_message = "a task is started by the registry's two endpoints, the gateway to S3, its secrets and its log"
  }

  assert {
    condition     = output.flow_log_destination == "arn:aws:s3:::drydock-dev-flow-logs-123456789012"
    error_message = "the flow logs go where the environment says"
  }
}

run "wrong_inputs_are_refused" {
  command = plan

  variables {
    environment = "production"
    account_id  = "1234"
    region      = "us-east"
    owner       = ""
    cost_center = "trading;shop"
  }

  expect_failures = [var.environment, var.account_id, var.region, var.owner, var.cost_center]
}

run "the_key_lets_cloudwatch_in" {
  module {
    source = "../../modules/encryption_key"
  }

  variables {
    name                  = "drydock-dev-data"
    description           = "test"
    allow_cloudwatch_logs = true
    alarm_topic           = "drydock-dev-alarms"
  }

  assert {
    condition     = aws_kms_key.this.enable_key_rotation
    error_message = "keys must rotate"
  }

  assert {
    condition = anytrue([
      for statement in jsondecode(aws_kms_key.this.policy).Statement :
      try(statement.Principal.Service, "") == "logs.us-east-1.amazonaws.com" && can(statement.Condition.ArnLike)
    ])
    error_message = "CloudWatch Logs may use the key, for log groups of this account only"
  }

  assert {
    condition = [
      for statement in jsondecode(aws_kms_key.this.policy).Statement :
      statement.Condition.StringEquals if try(statement.Principal.Service, "") == "cloudwatch.amazonaws.com"
      ] == [{
        "aws:SourceAccount"                      = "123456789012"
        "kms:EncryptionContext:aws:sns:topicArn" = "arn:aws:sns:us-east-1:123456789012:drydock-dev-alarms"
    }]
    error_message = "alarms of this account may use the key, for messages to their topic only"
  }
}

run "the_key_lets_nobody_in_unasked" {
  module {
    source = "../../modules/encryption_key"
  }

  variables {
    name        = "drydock-dev-data"
    description = "test"
  }

  assert {
    condition     = [for statement in jsondecode(aws_kms_key.this.policy).Statement : statement.Sid] == ["AccountDecidesThroughIam"]
    error_message = "without being asked to, the key must serve no AWS service"
  }
}

run "a_short_farewell_is_refused" {
  command = plan

  module {
    source = "../../modules/encryption_key"
  }

  variables {
    name                    = "drydock-dev-data"
    description             = "test"
    deletion_window_in_days = 3
  }

  expect_failures = [var.deletion_window_in_days]
}
