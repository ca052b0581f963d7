mock_provider "aws" {
  override_during = plan

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/watcher" }
  }

  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:us-east-1:123456789012:function:watcher" }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:watcher" }
  }
}

variables {
  name                = "drydock-dev-events-watcher"
  package             = "../../../functions/watch_events.zip"
  stream_name         = "drydock-dev-events"
  stream_arn          = "arn:aws:kinesis:us-east-1:123456789012:stream/drydock-dev-events"
  failures_bucket_arn = "arn:aws:s3:::lake"
  concurrency         = 2
  kms_key_arn         = "arn:aws:kms:us-east-1:123456789012:key/data"
  log_retention_days  = 7
}

run "a_bad_record_does_not_hold_up_its_shard" {
  command = plan

  module {
    source = "../../modules/stream_watcher"
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.bisect_batch_on_function_error && aws_lambda_event_source_mapping.this.maximum_retry_attempts == 2
    error_message = "Lambda would try a bad record until it expires"
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.destination_config[0].on_failure[0].destination_arn == "arn:aws:s3:::lake" && aws_lambda_event_source_mapping.this.function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "what is laid aside must be kept whole, from the first bad record on"
  }
}

run "a_queue_would_not_keep_the_record" {
  command = plan

  module {
    source = "../../modules/stream_watcher"
  }

  variables {
    stream_arn          = "drydock-dev-events"
    failures_bucket_arn = "arn:aws:sqs:us-east-1:123456789012:queue"
  }

  expect_failures = [var.stream_arn, var.failures_bucket_arn]
}

run "a_function_writes_its_own_log_and_no_other" {
  command = plan

  module {
    source = "../../modules/function"
  }

  variables {
    description       = "Tests"
    timeout           = 30
    policy_statements = jsonencode([{ Sid = "Own", Effect = "Allow", Action = ["s3:GetObject"], Resource = ["arn:aws:s3:::lake/*"] }])
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.name == "/aws/lambda/drydock-dev-events-watcher" && aws_cloudwatch_log_group.this.retention_in_days == 7
    error_message = "Lambda writes to this group whatever it is told; its retention must be ours"
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Sid] == ["WriteLog", "Trace", "Own"] && jsondecode(aws_iam_role_policy.this.policy).Statement[0].Resource == ["arn:aws:logs:us-east-1:123456789012:log-group:watcher:*"]
    error_message = "it may write its own log, its traces, and what it is given"
  }

  assert {
    condition     = aws_lambda_function.this.source_code_hash == filebase64sha256("../../../functions/watch_events.zip") && aws_lambda_function.this.reserved_concurrent_executions == 2
    error_message = "changed code must be seen in the plan, and a flood of calls has its bound"
  }
}

run "a_function_that_can_not_run_is_refused" {
  command = plan

  module {
    source = "../../modules/function"
  }

  variables {
    name              = "drydock.watcher"
    description       = "Tests"
    timeout           = 0
    memory_mb         = 64
    concurrency       = 0
    policy_statements = "{}"
  }

  expect_failures = [var.name, var.timeout, var.memory_mb, var.concurrency, var.policy_statements]
}
