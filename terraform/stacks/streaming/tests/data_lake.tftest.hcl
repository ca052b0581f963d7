mock_provider "aws" {
  override_during = plan

  mock_resource "aws_s3_bucket" {
    defaults = { id = "lake", arn = "arn:aws:s3:::lake" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/lake" }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:lake" }
  }
}

variables {
  name               = "drydock-dev-events-lake"
  account_id         = "123456789012"
  region             = "us-east-1"
  bucket             = "drydock-dev-events-lake-123456789012"
  stream_arn         = "arn:aws:kinesis:us-east-1:123456789012:stream/events"
  kms_key_arn        = "arn:aws:kms:us-east-1:123456789012:key/data"
  buffer_seconds     = 300
  log_retention_days = 7
  force_destroy      = false
}

run "events_are_found_by_hour_and_failures_beside_them" {
  command = plan

  module {
    source = "../../modules/data_lake"
  }

  assert {
    condition = [
      aws_kinesis_firehose_delivery_stream.this.extended_s3_configuration[0].prefix,
      aws_kinesis_firehose_delivery_stream.this.extended_s3_configuration[0].error_output_prefix,
      ] == [
      "events/dt=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/",
      "errors/!{firehose:error-output-type}/dt=!{timestamp:yyyy-MM-dd}/",
    ]
    error_message = "partitions must be in the shape that query engines read"
  }

  assert {
    condition     = aws_kinesis_firehose_delivery_stream.this.extended_s3_configuration[0].processing_configuration[0].processors[0].type == "AppendDelimiterToRecord"
    error_message = "without a delimiter the records of a file could not be told apart"
  }

  assert {
    condition     = aws_kinesis_firehose_delivery_stream.this.extended_s3_configuration[0].kms_key_arn == var.kms_key_arn
    error_message = "files must be encrypted with the environment's key"
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : !contains(statement.Resource, "*")
    ])
    error_message = "the delivery may reach its own stream, bucket, key and log only"
  }
}

run "wrong_inputs_are_refused" {
  command = plan

  module {
    source = "../../modules/data_lake"
  }

  variables {
    name           = "lake of events"
    stream_arn     = "drydock-dev-events"
    buffer_mb      = 256
    buffer_seconds = 1000
  }

  expect_failures = [var.name, var.stream_arn, var.buffer_mb, var.buffer_seconds]
}
