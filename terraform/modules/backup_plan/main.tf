# What is backed up, when, and for how long. What is marked with the tag Backup = daily is.

data "aws_partition" "current" {}

resource "aws_backup_plan" "this" {
  name = var.name

  rule {
    rule_name         = "daily"
    target_vault_name = var.vault_name
    schedule          = "cron(0 ${var.hour_utc} * * ? *)"
    start_window      = 60  # minutes; the least that AWS takes
    completion_window = 360 # the objective counts on it

    lifecycle {
      delete_after = var.daily_days
    }

    dynamic "copy_action" {
      for_each = var.copy[*]

      content {
        destination_vault_arn = copy_action.value.vault_arn

        lifecycle {
          delete_after = copy_action.value.days
        }
      }
    }
  }

  dynamic "rule" {
    for_each = var.weekly_days[*]

    content {
      rule_name         = "weekly"
      target_vault_name = var.vault_name
      # Apart from the daily one: AWS Backup makes one job of two that meet.
      schedule          = "cron(0 ${(var.hour_utc + 8) % 24} ? * SUN *)"
      start_window      = 60
      completion_window = 360

      lifecycle {
        delete_after = rule.value
      }
    }
  }
}

# Both tags must be there: resources of another environment in the account stay out.
resource "aws_backup_selection" "tagged" {
  name         = "tagged-daily"
  plan_id      = aws_backup_plan.this.id
  iam_role_arn = aws_iam_role.this.arn
  resources    = ["*"]

  condition {
    string_equals {
      key   = "aws:ResourceTag/Backup"
      value = "daily"
    }

    string_equals {
      key   = "aws:ResourceTag/Environment"
      value = var.environment
    }
  }

  depends_on = [aws_iam_role_policy_attachment.this]
}

resource "aws_iam_role" "this" {
  name                 = var.name
  description          = "AWS Backup takes and copies recovery points as this role; it may not restore."
  permissions_boundary = var.permissions_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "backup.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }]
  })
}

# AWS's own policies: they grow with the kinds of resources that AWS Backup learns.
resource "aws_iam_role_policy_attachment" "this" {
  for_each = toset(["service-role/AWSBackupServiceRolePolicyForBackup", "AWSBackupServiceRolePolicyForS3Backup"])

  role       = aws_iam_role.this.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/${each.key}"
}
