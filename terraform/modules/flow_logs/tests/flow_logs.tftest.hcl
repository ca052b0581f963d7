mock_provider "aws" {
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::drydock-dev-flow-logs-123456789012" }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:/drydock-dev/flow-logs" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/drydock-dev-flow-logs" }
  }
}

variables {
  name           = "drydock-dev"
  account_id     = "123456789012"
  region         = "us-east-1"
  vpc_id         = "vpc-1"
  destination    = "s3"
  retention_days = 30
  kms_key_arn    = "arn:aws:kms:us-east-1:123456789012:key/data"
}

run "to_a_bucket" {
  assert {
    condition     = aws_flow_log.this.log_destination_type == "s3" && aws_flow_log.this.log_destination == "arn:aws:s3:::drydock-dev-flow-logs-123456789012" && aws_flow_log.this.traffic_type == "ALL" && aws_flow_log.this.vpc_id == "vpc-1"
    error_message = "all traffic of the VPC must go to the bucket"
  }

  assert {
    condition     = length(aws_cloudwatch_log_group.this) == 0 && length(aws_iam_role.delivery) == 0 && aws_flow_log.this.iam_role_arn == null
    error_message = "to S3 the service writes by the bucket's policy, not by a role"
  }
}

run "to_cloudwatch" {
  variables {
    destination = "cloudwatch"
  }

  assert {
    condition     = aws_flow_log.this.log_destination_type == "cloud-watch-logs" && aws_flow_log.this.log_destination == "arn:aws:logs:us-east-1:123456789012:log-group:/drydock-dev/flow-logs" && aws_flow_log.this.iam_role_arn == "arn:aws:iam::123456789012:role/drydock-dev-flow-logs"
    error_message = "the log must go to the group, by its role"
  }

  assert {
    condition     = aws_cloudwatch_log_group.this[0].retention_in_days == 30 && aws_cloudwatch_log_group.this[0].kms_key_id == "arn:aws:kms:us-east-1:123456789012:key/data" && length(module.bucket) == 0
    error_message = "the log must end after its retention, and be encrypted"
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.delivery[0].policy).Statement[0].Resource == ["arn:aws:logs:us-east-1:123456789012:log-group:/drydock-dev/flow-logs:*"]
    error_message = "the role may write to that group and to no other"
  }

  assert {
    condition     = jsondecode(aws_iam_role.delivery[0].assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "123456789012"
    error_message = "only this account's flow logs may take the role"
  }
}

run "wrong_inputs_are_refused" {
  command = plan

  variables {
    destination    = "kinesis"
    traffic_type   = "SOME"
    retention_days = 8
  }

  expect_failures = [var.destination, var.traffic_type, var.retention_days]
}
