# Every new version of an object, and every delete marker, in a bucket of another region. A
# version that is deleted for good here stays there.

locals {
  source_arn = "arn:${data.aws_partition.current.partition}:s3:::${var.bucket}"
}

data "aws_partition" "current" {}

resource "aws_s3_bucket_replication_configuration" "this" {
  bucket = var.bucket
  role   = aws_iam_role.this.arn

  rule {
    id     = "all"
    status = "Enabled"

    filter {}

    delete_marker_replication {
      status = "Enabled"
    }

    source_selection_criteria {
      sse_kms_encrypted_objects {
        status = "Enabled"
      }
    }

    destination {
      bucket        = var.replica_arn
      storage_class = "STANDARD_IA"

      encryption_configuration {
        replica_kms_key_id = var.replica_kms_key_arn
      }

      # S3's promise of 15 minutes (it takes no other number), and the metrics that show it kept.
      replication_time {
        status = "Enabled"

        time {
          minutes = 15
        }
      }

      metrics {
        status = "Enabled"

        event_threshold {
          minutes = 15
        }
      }
    }
  }

  depends_on = [aws_iam_role_policy.this]
}

resource "aws_iam_role" "this" {
  name                 = "${var.name}-replication"
  description          = "S3 copies ${var.bucket} to its replica as this role."
  permissions_boundary = var.permissions_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "s3.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id, "aws:SourceArn" = local.source_arn } }
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  name = "replicate"
  role = aws_iam_role.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "ReadTheBucket"
        Effect   = "Allow"
        Action   = ["s3:GetReplicationConfiguration", "s3:ListBucket"]
        Resource = local.source_arn
      },
      {
        Sid      = "ReadItsVersions"
        Effect   = "Allow"
        Action   = ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"]
        Resource = "${local.source_arn}/*"
      },
      {
        Sid      = "WriteTheReplica"
        Effect   = "Allow"
        Action   = ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"]
        Resource = "${var.replica_arn}/*"
      },
      {
        # With bucket keys S3 names the bucket, not the object, to KMS.
        Sid       = "DecryptHere"
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = var.kms_key_arn
        Condition = { StringEquals = { "kms:EncryptionContext:aws:s3:arn" = local.source_arn } }
      },
      {
        Sid       = "EncryptThere"
        Effect    = "Allow"
        Action    = ["kms:Encrypt", "kms:GenerateDataKey"]
        Resource  = var.replica_kms_key_arn
        Condition = { StringEquals = { "kms:EncryptionContext:aws:s3:arn" = var.replica_arn } }
      },
    ]
  })
}
