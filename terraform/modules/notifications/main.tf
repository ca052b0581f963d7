resource "aws_sns_topic" "this" {
  name              = var.name
  kms_master_key_id = var.kms_key_arn
}

locals {
  publishers = coalesce(var.publishers, {
    AlarmsOfThisAccount = {
      service    = "cloudwatch.amazonaws.com"
      source_arn = "arn:aws:cloudwatch:${var.region}:${var.account_id}:alarm:*"
    }
  })
}

# This replaces the policy that a topic has by itself. People and runbooks of the account
# publish by what IAM grants them, so only services of AWS need to be named.
resource "aws_sns_topic_policy" "this" {
  arn = aws_sns_topic.this.arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [for id, publisher in local.publishers : {
      Sid       = id
      Effect    = "Allow"
      Principal = { Service = publisher.service }
      Action    = "sns:Publish"
      # By name, so that the plan shows the whole policy.
      Resource = "arn:aws:sns:${var.region}:${var.account_id}:${var.name}"
      Condition = {
        StringEquals = { "aws:SourceAccount" = var.account_id }
        ArnLike      = { "aws:SourceArn" = publisher.source_arn }
      }
    }]
  })
}

resource "aws_sns_topic_subscription" "this" {
  for_each = var.subscriptions

  topic_arn = aws_sns_topic.this.arn
  protocol  = each.value.protocol
  endpoint  = each.value.endpoint
}
