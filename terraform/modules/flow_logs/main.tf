# Who talked with whom, for the day when somebody has to know. In S3 a gigabyte costs half of
# what CloudWatch takes; CloudWatch is the quicker to search.

locals {
  to_s3         = var.destination == "s3"
  to_cloudwatch = var.destination == "cloudwatch"
  bucket        = "${var.name}-flow-logs-${var.account_id}"
}

resource "aws_flow_log" "this" {
  vpc_id                   = var.vpc_id
  traffic_type             = var.traffic_type
  max_aggregation_interval = 600
  log_destination_type     = local.to_s3 ? "s3" : "cloud-watch-logs"
  log_destination          = local.to_s3 ? module.bucket[0].arn : aws_cloudwatch_log_group.this[0].arn
  iam_role_arn             = local.to_cloudwatch ? aws_iam_role.delivery[0].arn : null

  tags = { Name = var.name }

  depends_on = [aws_iam_role_policy.delivery]
}

module "bucket" {
  source = "../bucket"
  count  = local.to_s3 ? 1 : 0

  name            = local.bucket
  force_destroy   = var.force_destroy
  expire_days     = var.retention_days
  noncurrent_days = 1 # nothing is ever written twice

  policy_statements = jsonencode([
    {
      Sid       = "FlowLogsWrite"
      Effect    = "Allow"
      Principal = { Service = "delivery.logs.amazonaws.com" }
      Action    = "s3:PutObject"
      Resource  = "arn:aws:s3:::${local.bucket}/AWSLogs/${var.account_id}/*"
      Condition = merge(local.own_deliveries, { StringEquals = { "aws:SourceAccount" = var.account_id, "s3:x-amz-acl" = "bucket-owner-full-control" } })
    },
    {
      Sid       = "FlowLogsLook"
      Effect    = "Allow"
      Principal = { Service = "delivery.logs.amazonaws.com" }
      Action    = ["s3:GetBucketAcl", "s3:ListBucket"]
      Resource  = "arn:aws:s3:::${local.bucket}"
      Condition = merge(local.own_deliveries, { StringEquals = { "aws:SourceAccount" = var.account_id } })
    },
  ])
}

locals {
  own_deliveries = { ArnLike = { "aws:SourceArn" = "arn:aws:logs:${var.region}:${var.account_id}:*" } }
}

resource "aws_cloudwatch_log_group" "this" {
  count = local.to_cloudwatch ? 1 : 0

  name              = "/${var.name}/flow-logs"
  retention_in_days = var.retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_iam_role" "delivery" {
  count = local.to_cloudwatch ? 1 : 0

  name                 = "${var.name}-flow-logs"
  description          = "Writes the VPC's flow logs"
  permissions_boundary = var.permissions_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "FlowLogsOfThisAccount"
      Effect    = "Allow"
      Principal = { Service = "vpc-flow-logs.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = var.account_id }
        ArnLike      = { "aws:SourceArn" = "arn:aws:ec2:${var.region}:${var.account_id}:vpc-flow-log/*" }
      }
    }]
  })
}

resource "aws_iam_role_policy" "delivery" {
  count = local.to_cloudwatch ? 1 : 0

  name = "write-flow-logs"
  role = aws_iam_role.delivery[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "WriteOwnLog"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
      Resource = ["${aws_cloudwatch_log_group.this[0].arn}:*"]
    }]
  })
}
