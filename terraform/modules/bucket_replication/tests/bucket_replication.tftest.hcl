mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

variables {
  name                = "drydock-dev-records"
  account_id          = "123456789012"
  bucket              = "drydock-dev-records-123456789012"
  kms_key_arn         = "arn:aws:kms:us-east-1:123456789012:key/1"
  replica_arn         = "arn:aws:s3:::drydock-dev-standby-records-123456789012"
  replica_kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/2"
}

run "everything_is_copied_within_the_promise" {
  command = plan

  assert {
    condition     = output.rpo_minutes == 15
    error_message = "replication must be under S3's promise of 15 minutes"
  }

  assert {
    condition = alltrue([
      for rule in aws_s3_bucket_replication_configuration.this.rule :
      rule.status == "Enabled" && rule.delete_marker_replication[0].status == "Enabled"
      && rule.source_selection_criteria[0].sse_kms_encrypted_objects[0].status == "Enabled"
      && rule.destination[0].metrics[0].status == "Enabled"
    ])
    error_message = "encrypted objects and delete markers must be copied too, and the lag measured"
  }

  assert {
    condition     = aws_s3_bucket_replication_configuration.this.rule[0].destination[0].encryption_configuration[0].replica_kms_key_id == var.replica_kms_key_arn
    error_message = "copies must be encrypted with the standby region's key"
  }
}

run "the_role_reads_here_and_writes_there" {
  command = plan

  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Sid => statement.Resource } == {
      ReadTheBucket   = "arn:aws:s3:::drydock-dev-records-123456789012"
      ReadItsVersions = "arn:aws:s3:::drydock-dev-records-123456789012/*"
      WriteTheReplica = "arn:aws:s3:::drydock-dev-standby-records-123456789012/*"
      DecryptHere     = "arn:aws:kms:us-east-1:123456789012:key/1"
      EncryptThere    = "arn:aws:kms:us-west-2:123456789012:key/2"
    }
    error_message = "the role must reach those two buckets and their keys, and nothing else"
  }

  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceArn"] == "arn:aws:s3:::drydock-dev-records-123456789012"
    error_message = "S3 may take the role for that bucket only"
  }
}

run "a_copy_onto_itself_is_refused" {
  command = plan

  variables {
    replica_arn         = "arn:aws:s3:::drydock-dev-records-123456789012"
    replica_kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/1"
  }

  expect_failures = [var.replica_arn, var.replica_kms_key_arn]
}
