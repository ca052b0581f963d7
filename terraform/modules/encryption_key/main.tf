locals {
  # Without this statement the key could be used by nobody, not even to be repaired;
  # it hands the decision over to IAM, where roles carry their own narrow grants.
  administration = {
    Sid       = "AccountDecidesThroughIam"
    Effect    = "Allow"
    Principal = { AWS = "arn:aws:iam::${var.account_id}:root" }
    Action    = "kms:*"
    Resource  = "*"
  }

  # CloudWatch Logs encrypts as itself, not as the caller, so IAM alone does not reach it.
  cloudwatch_logs = {
    Sid       = "LogGroupsOfThisAccount"
    Effect    = "Allow"
    Principal = { Service = "logs.${var.region}.amazonaws.com" }
    Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
    Resource  = "*"
    Condition = {
      ArnLike = {
        "kms:EncryptionContext:aws:logs:arn" = "arn:aws:logs:${var.region}:${var.account_id}:log-group:*"
      }
    }
  }

  # An alarm publishes to an encrypted topic as CloudWatch, which without this drops the
  # message and says so only in the alarm's history.
  cloudwatch_alarms = [for topic in var.alarm_topic[*] : {
    Sid       = "AlarmsOfThisAccount"
    Effect    = "Allow"
    Principal = { Service = "cloudwatch.amazonaws.com" }
    Action    = ["kms:Decrypt", "kms:GenerateDataKey*"]
    Resource  = "*"
    Condition = {
      StringEquals = {
        "aws:SourceAccount"                      = var.account_id
        "kms:EncryptionContext:aws:sns:topicArn" = "arn:aws:sns:${var.region}:${var.account_id}:${topic}"
      }
    }
  }]
}

resource "aws_kms_key" "this" {
  description             = var.description
  enable_key_rotation     = true
  deletion_window_in_days = var.deletion_window_in_days

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat([local.administration], var.allow_cloudwatch_logs ? [local.cloudwatch_logs] : [], local.cloudwatch_alarms, jsondecode(var.policy_statements))
  })

  tags = { Name = var.name }
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.this.key_id
}
