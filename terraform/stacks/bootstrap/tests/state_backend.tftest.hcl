mock_provider "aws" {
  mock_resource "aws_kms_key" {
    defaults = {
      arn = "arn:aws:kms:us-east-1:123456789012:key/state"
    }
  }

  mock_resource "aws_s3_bucket" {
    defaults = {
      arn = "arn:aws:s3:::drydock-dev-tfstate-123456789012"
    }
  }
}

variables {
  environment  = "dev"
  account_id   = "123456789012"
  region       = "us-east-1"
  owner        = "platform"
  cost_center  = "trading"
  state_bucket = "drydock-dev-tfstate-123456789012"
  lock_table   = "drydock-dev-tflock"
}

run "states_are_kept_safe" {
  module {
    source = "../../modules/state_backend"
  }

  variables {
    bucket      = "drydock-dev-tfstate-123456789012"
    kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/state"
  }

  assert {
    condition     = aws_s3_bucket_versioning.state.versioning_configuration[0].status == "Enabled"
    error_message = "the bucket must keep old versions of a state"
  }

  assert {
    condition = alltrue([
      for rule in aws_s3_bucket_server_side_encryption_configuration.state.rule :
      rule.apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms" && rule.apply_server_side_encryption_by_default[0].kms_master_key_id == "arn:aws:kms:us-east-1:123456789012:key/state"
    ])
    error_message = "states must be encrypted with the stack's own key"
  }

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.state.block_public_acls,
      aws_s3_bucket_public_access_block.state.block_public_policy,
      aws_s3_bucket_public_access_block.state.ignore_public_acls,
      aws_s3_bucket_public_access_block.state.restrict_public_buckets,
    ])
    error_message = "public access must be blocked in all four ways"
  }

  assert {
    condition = anytrue([
      for statement in jsondecode(aws_s3_bucket_policy.state.policy).Statement :
      statement.Effect == "Deny" && statement.Action == "s3:*" && statement.Condition.Bool["aws:SecureTransport"] == "false" && length(statement.Resource) == 2
    ])
    error_message = "bucket and objects must refuse requests without TLS"
  }

  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.state.rule[0].noncurrent_version_expiration[0].noncurrent_days == 90
    error_message = "old versions must not be kept for ever"
  }

  assert {
    condition     = aws_dynamodb_table.lock.hash_key == "LockID" && aws_dynamodb_table.lock.point_in_time_recovery[0].enabled && aws_dynamodb_table.lock.server_side_encryption[0].enabled
    error_message = "the lock table must be usable by Terraform, restorable and encrypted"
  }

  assert {
    condition     = aws_dynamodb_table.lock.deletion_protection_enabled && !aws_s3_bucket.state.force_destroy
    error_message = "unless told otherwise, neither table nor bucket may be deleted by accident"
  }
}

run "the_stack_puts_out_what_a_backend_needs" {
  variables {
    force_destroy       = true
    deletion_protection = false
  }

  assert {
    condition     = output.lock_table == "drydock-dev-tflock" && output.kms_key_arn == "arn:aws:kms:us-east-1:123456789012:key/state"
    error_message = "the other stacks' backends are configured from these outputs"
  }
}

run "wrong_inputs_are_refused" {
  command = plan

  variables {
    state_bucket = "Drydock_State"
    lock_table   = "tf lock"
  }

  expect_failures = [var.state_bucket, var.lock_table]
}
