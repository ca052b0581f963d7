mock_provider "aws" {
  override_during = plan

  mock_resource "aws_sqs_queue" {
    defaults = {
      id  = "https://sqs.us-east-1.amazonaws.com/123456789012/queue"
      arn = "arn:aws:sqs:us-east-1:123456789012:queue"
    }
  }
}

variables {
  name               = "drydock-dev-events-retry"
  visibility_timeout = 60
  max_receives       = 5
  kms_key_arn        = "arn:aws:kms:us-east-1:123456789012:key/data"
}

run "what_fails_too_often_is_kept_longest" {
  command = plan

  module {
    source = "../../modules/queue"
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.this.redrive_policy).maxReceiveCount == 5 && aws_sqs_queue.dead.name == "drydock-dev-events-retry-dead"
    error_message = "after five receives a message must go to the dead letters"
  }

  assert {
    condition     = aws_sqs_queue.dead.message_retention_seconds == 1209600 && aws_sqs_queue.this.message_retention_seconds < aws_sqs_queue.dead.message_retention_seconds
    error_message = "a dead letter's age counts from its first queue: it must not expire as it arrives"
  }

  assert {
    condition     = aws_sqs_queue.this.kms_master_key_id == var.kms_key_arn && aws_sqs_queue.dead.kms_master_key_id == var.kms_key_arn
    error_message = "messages must be encrypted with the environment's key"
  }

  assert {
    condition     = alltrue([for policy in aws_sqs_queue_policy.this : jsondecode(policy.policy).Statement[0].Condition.Bool["aws:SecureTransport"] == "false"]) && length(aws_sqs_queue_policy.this) == 2
    error_message = "both queues must refuse what comes without TLS"
  }

  assert {
    condition     = jsondecode(aws_sqs_queue_redrive_allow_policy.dead.redrive_allow_policy).redrivePermission == "byQueue"
    error_message = "other queues' letters must not mix with these"
  }
}

run "wrong_inputs_are_refused" {
  command = plan

  module {
    source = "../../modules/queue"
  }

  variables {
    name               = "events.retry"
    visibility_timeout = 0
    retention_seconds  = 1209600
    max_receives       = 0
  }

  expect_failures = [var.name, var.visibility_timeout, var.retention_seconds, var.max_receives]
}
