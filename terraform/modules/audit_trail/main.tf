# Who did what in the account, in every region, in files whose change would show.

locals {
  trail_arn = "arn:aws:cloudtrail:${var.region}:${var.account_id}:trail/${var.name}"
}

# Named here, so that whoever makes the key can let CloudTrail use it before the trail is there.
module "bucket" {
  source = "../bucket"

  name            = "${var.name}-${var.account_id}"
  kms_key_arn     = var.kms_key_arn
  force_destroy   = var.force_destroy
  expire_days     = var.retention_days
  noncurrent_days = 30

  policy_statements = jsonencode([
    {
      Sid       = "CloudTrailLooks"
      Effect    = "Allow"
      Principal = { Service = "cloudtrail.amazonaws.com" }
      Action    = "s3:GetBucketAcl"
      Resource  = "arn:aws:s3:::${var.name}-${var.account_id}"
      Condition = { StringEquals = { "aws:SourceArn" = local.trail_arn } }
    },
    {
      Sid       = "CloudTrailWrites"
      Effect    = "Allow"
      Principal = { Service = "cloudtrail.amazonaws.com" }
      Action    = "s3:PutObject"
      Resource  = "arn:aws:s3:::${var.name}-${var.account_id}/AWSLogs/${var.account_id}/*"
      Condition = { StringEquals = { "aws:SourceArn" = local.trail_arn, "s3:x-amz-acl" = "bucket-owner-full-control" } }
    },
  ])
}

resource "aws_cloudtrail" "this" {
  #checkov:skip=CKV2_AWS_10: EventBridge tells of what matters as it happens; a copy in CloudWatch Logs would cost more than the trail
  #checkov:skip=CKV_AWS_252: nobody reads a notice for every file that is delivered
  name                          = var.name
  s3_bucket_name                = module.bucket.id
  kms_key_id                    = var.kms_key_arn
  is_multi_region_trail         = true
  include_global_service_events = true
  enable_log_file_validation    = true
}
