mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

variables {
  name        = "drydock-dev-backup"
  environment = "dev"
  account_id  = "123456789012"
  vault_name  = "drydock-dev"
  daily_days  = 7
}

run "every_day_into_the_vault" {
  command = plan

  assert {
    condition = [for rule in aws_backup_plan.this.rule : [rule.rule_name, rule.schedule, rule.target_vault_name, rule.lifecycle[0].delete_after, length(rule.copy_action)]] == [
      ["daily", "cron(0 5 * * ? *)", "drydock-dev", 7, 0]
    ]
    error_message = "without more being asked there is one rule, daily, and no copy"
  }

  assert {
    condition     = output.rpo_minutes == 30 * 60
    error_message = "the objective must be a day and the six hours that a job may take"
  }
}

run "only_what_carries_both_tags" {
  command = plan

  assert {
    condition = toset([for tag in one(aws_backup_selection.tagged.condition).string_equals : "${tag.key}=${tag.value}"]) == toset([
      "aws:ResourceTag/Backup=daily", "aws:ResourceTag/Environment=dev"
    ])
    error_message = "a resource of another environment must not be backed up here"
  }

  assert {
    # selection_tag would take what carries any one of its tags.
    condition     = length(aws_backup_selection.tagged.selection_tag) == 0
    error_message = "tags must all be there, not one of them"
  }
}

run "the_role_takes_and_does_not_give_back" {
  command = plan

  assert {
    condition = keys(aws_iam_role_policy_attachment.this) == [
      "AWSBackupServiceRolePolicyForS3Backup", "service-role/AWSBackupServiceRolePolicyForBackup"
    ]
    error_message = "the role may back up, S3 too, and nothing else"
  }

  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "123456789012"
    error_message = "AWS Backup may take the role for this account only"
  }
}

run "weeks_and_copies" {
  command = plan

  variables {
    hour_utc    = 20
    weekly_days = 35
    copy        = { vault_arn = "arn:aws:backup:us-west-2:123456789012:backup-vault:standby", days = 3 }
  }

  assert {
    condition = toset([for rule in aws_backup_plan.this.rule : "${rule.rule_name} ${rule.schedule} ${rule.lifecycle[0].delete_after}"]) == toset([
      "daily cron(0 20 * * ? *) 7", "weekly cron(0 4 ? * SUN *) 35"
    ])
    error_message = "the weekly backup must run apart from the daily one and be kept longer"
  }

  assert {
    condition = flatten([for rule in aws_backup_plan.this.rule : [for copy in rule.copy_action : "${rule.rule_name} ${copy.destination_vault_arn} ${copy.lifecycle[0].delete_after}"]]) == [
      "daily arn:aws:backup:us-west-2:123456789012:backup-vault:standby 3"
    ]
    error_message = "daily recovery points, and they alone, must be copied"
  }
}

run "wrong_inputs_are_refused" {
  command = plan

  variables {
    hour_utc   = 24
    daily_days = 0
    copy       = { vault_arn = "arn", days = 0 }
  }

  expect_failures = [var.hour_utc, var.daily_days, var.copy]
}

run "a_week_no_longer_than_a_day_is_refused" {
  command = plan

  variables {
    weekly_days = 7
  }

  expect_failures = [var.weekly_days]
}
