mock_provider "aws" {
  mock_resource "aws_kinesis_stream" {
    defaults = { arn = "arn:aws:kinesis:us-east-1:123456789012:stream/drydock-dev-events" }
  }

  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::drydock-dev-events-lake-123456789012" }
  }

  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:us-east-1:123456789012:queue" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/events" }
  }

  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:us-east-1:123456789012:function:watcher" }
  }
}

variables {
  environment        = "dev"
  account_id         = "123456789012"
  region             = "us-east-1"
  owner              = "platform"
  cost_center        = "trading"
  kms_key_arn        = "arn:aws:kms:us-east-1:123456789012:key/data"
  shards             = 1
  log_retention_days = 7
}

run "consumers_find_their_parts_by_name" {
  assert {
    condition = [output.stream_name, output.lease_table_name, output.dead_letter_queue_name, output.watcher_function_name] == [
      "drydock-dev-events", "drydock-dev-events-leases", "drydock-dev-events-retry-dead", "drydock-dev-events-watcher",
    ]
    error_message = "names must begin with drydock-<environment>-events"
  }
}

run "an_environment_without_an_inventory_is_refused" {
  command = plan

  variables {
    environment = "test"
  }

  expect_failures = [var.environment]
}
