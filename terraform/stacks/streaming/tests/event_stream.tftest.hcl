mock_provider "aws" {}

variables {
  name            = "drydock-dev-events"
  shards          = 2
  retention_hours = 24
  kms_key_arn     = "arn:aws:kms:us-east-1:123456789012:key/data"
}

run "shards_are_paid_for_by_the_hour" {
  command = plan

  module {
    source = "../../modules/event_stream"
  }

  assert {
    condition     = aws_kinesis_stream.this.stream_mode_details[0].stream_mode == "PROVISIONED" && aws_kinesis_stream.this.shard_count == 2
    error_message = "a number of shards means that many, no more"
  }

  assert {
    condition     = aws_kinesis_stream.this.encryption_type == "KMS" && aws_kinesis_stream.this.kms_key_id == "arn:aws:kms:us-east-1:123456789012:key/data"
    error_message = "records at rest must be encrypted with the environment's key"
  }

  assert {
    condition     = !aws_kinesis_stream.this.enforce_consumer_deletion
    error_message = "a stream with registered consumers is deleted only where that was asked for"
  }
}

run "without_shards_the_stream_sizes_itself" {
  command = plan

  module {
    source = "../../modules/event_stream"
  }

  variables {
    shards = null
  }

  assert {
    condition     = aws_kinesis_stream.this.stream_mode_details[0].stream_mode == "ON_DEMAND" && aws_kinesis_stream.this.shard_count == null
    error_message = "AWS refuses a number of shards for a stream on demand"
  }
}

run "wrong_inputs_are_refused" {
  command = plan

  module {
    source = "../../modules/event_stream"
  }

  variables {
    name            = "drydock events"
    shards          = 1.5
    retention_hours = 12
  }

  expect_failures = [var.name, var.shards, var.retention_hours]
}

run "a_table_of_leases_can_be_brought_back" {
  command = plan

  module {
    source = "../../modules/lease_table"
  }

  variables {
    name                = "drydock-dev-events-leases"
    deletion_protection = true
  }

  assert {
    condition     = aws_dynamodb_table.this.hash_key == "leaseKey" && aws_dynamodb_table.this.billing_mode == "PAY_PER_REQUEST"
    error_message = "the Kinesis Client Library asks for this key"
  }

  assert {
    condition     = aws_dynamodb_table.this.point_in_time_recovery[0].enabled && aws_dynamodb_table.this.server_side_encryption[0].kms_key_arn == var.kms_key_arn && aws_dynamodb_table.this.deletion_protection_enabled
    error_message = "the table must be encrypted, recoverable and protected"
  }
}

run "a_table_without_a_name_is_refused" {
  command = plan

  module {
    source = "../../modules/lease_table"
  }

  variables {
    name                = "a"
    deletion_protection = true
  }

  expect_failures = [var.name]
}
