mock_provider "aws" {
  mock_resource "aws_s3_bucket" {
    defaults = {
      arn = "arn:aws:s3:::drydock-dev-lake-123456789012"
    }
  }
}

variables {
  name = "drydock-dev-lake-123456789012"
}

run "the_bucket_is_private_versioned_and_encrypted" {
  variables {
    kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/data"
  }

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.this.block_public_acls,
      aws_s3_bucket_public_access_block.this.block_public_policy,
      aws_s3_bucket_public_access_block.this.ignore_public_acls,
      aws_s3_bucket_public_access_block.this.restrict_public_buckets,
    ])
    error_message = "public access must be blocked in all four ways"
  }

  assert {
    condition     = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    error_message = "replaced objects must be kept as versions"
  }

  assert {
    condition = alltrue([
      for rule in aws_s3_bucket_server_side_encryption_configuration.this.rule :
      rule.bucket_key_enabled && rule.apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms" && rule.apply_server_side_encryption_by_default[0].kms_master_key_id == "arn:aws:kms:us-east-1:123456789012:key/data"
    ])
    error_message = "objects must be encrypted with the key that is given"
  }

  assert {
    condition = [for statement in jsondecode(aws_s3_bucket_policy.this.policy).Statement : [statement.Sid, statement.Effect, statement.Action, length(statement.Resource), statement.Condition.Bool["aws:SecureTransport"]]] == [
      ["TlsOnly", "Deny", "s3:*", 2, "false"]
    ]
    error_message = "the policy must refuse requests without TLS, and let nobody in unasked"
  }

  assert {
    condition     = !aws_s3_bucket.this.force_destroy && length(aws_s3_bucket_lifecycle_configuration.this.rule[0].expiration) == 0 && length(aws_s3_bucket_lifecycle_configuration.this.rule[0].transition) == 0
    error_message = "unless told otherwise, objects stay"
  }

  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.this.rule[0].noncurrent_version_expiration[0].noncurrent_days == 30 && aws_s3_bucket_lifecycle_configuration.this.rule[0].abort_incomplete_multipart_upload[0].days_after_initiation == 7
    error_message = "old versions and uploads that were broken off must not be paid for ever"
  }
}

run "a_service_may_write_and_its_objects_expire" {
  variables {
    expire_days            = 90
    infrequent_access_days = 30
    policy_statements = jsonencode([{
      Sid       = "LoadBalancerWrites"
      Effect    = "Allow"
      Principal = { Service = "logdelivery.elasticloadbalancing.amazonaws.com" }
      Action    = "s3:PutObject"
      Resource  = "arn:aws:s3:::drydock-dev-lake-123456789012/*"
    }])
  }

  assert {
    condition     = [for statement in jsondecode(aws_s3_bucket_policy.this.policy).Statement : statement.Sid] == ["TlsOnly", "LoadBalancerWrites"]
    error_message = "given statements stand beside the TLS rule, never instead of it"
  }

  assert {
    condition     = alltrue([for rule in aws_s3_bucket_server_side_encryption_configuration.this.rule : rule.apply_server_side_encryption_by_default[0].sse_algorithm == "AES256"])
    error_message = "without a key S3's own must be used"
  }

  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.this.rule[0].expiration[0].days == 90 && [for move in aws_s3_bucket_lifecycle_configuration.this.rule[0].transition : [move.days, move.storage_class]] == [[30, "STANDARD_IA"]]
    error_message = "objects must move and expire when told"
  }
}

run "wrong_inputs_are_refused" {
  command = plan

  variables {
    name              = "Drydock.Lake"
    kms_key_arn       = "alias/data"
    expire_days       = 0
    noncurrent_days   = 0
    policy_statements = "{\"Effect\": \"Allow\"}"
    object_ownership  = "ObjectWriter"
  }

  expect_failures = [var.name, var.kms_key_arn, var.expire_days, var.noncurrent_days, var.policy_statements, var.object_ownership]
}

run "a_move_just_before_the_end_is_refused" {
  command = plan

  variables {
    expire_days            = 45
    infrequent_access_days = 30
  }

  expect_failures = [var.infrequent_access_days]
}

run "a_move_too_early_is_refused" {
  command = plan

  variables {
    infrequent_access_days = 7
  }

  expect_failures = [var.infrequent_access_days]
}
