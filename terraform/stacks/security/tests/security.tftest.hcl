mock_provider "aws" {
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:us-east-1:123456789012:key/audit" }
  }

  mock_resource "aws_s3_bucket" {
    defaults = {
      id  = "drydock-dev-audit-123456789012"
      arn = "arn:aws:s3:::drydock-dev-audit-123456789012"
    }
  }

  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:us-east-1:123456789012:drydock-dev-security" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/drydock-dev-config" }
  }
}

variables {
  environment          = "dev"
  account_id           = "123456789012"
  region               = "us-east-1"
  owner                = "platform"
  cost_center          = "trading"
  watched_roles        = ["arn:aws:iam::123456789012:role/drydock-dev-break-glass"]
  audit_retention_days = 90
  configuration        = { recording = "daily" }
  detection            = { guardduty_features = [], security_hub = false }
}

run "each_use_of_the_emergency_role_is_told" {
  assert {
    condition     = one(jsondecode(local.notices["break-glass"].pattern).detail.requestParameters.roleArn) == "arn:aws:iam::123456789012:role/drydock-dev-break-glass"
    error_message = "the notice must be of the role that identity made"
  }

  assert {
    condition     = output.topic_arn == "arn:aws:sns:us-east-1:123456789012:drydock-dev-security" && output.audit_bucket == "drydock-dev-audit-123456789012"
    error_message = "who is told, and where the trail goes, is put out"
  }

  assert {
    condition     = length(aws_shield_protection.this) == 0 && length(module.configuration) == 1
    error_message = "Shield Advanced, at 3,000 USD a month, is never on unasked"
  }
}

run "config_can_be_left_out" {
  command = plan

  variables {
    configuration = { recording = "off" }
  }

  assert {
    condition     = length(module.configuration) == 0
    error_message = "an organisation that records centrally turns it off"
  }
}

run "wrong_inputs_are_refused" {
  command = plan

  variables {
    watched_roles      = []
    configuration      = { recording = "hourly" }
    shielded_resources = { bucket = "arn:aws:s3:::x" }
  }

  # The module refuses the word too, but the stack's sentence comes first.
  expect_failures = [var.watched_roles, var.configuration, var.shielded_resources]
}

run "the_trail_covers_all_and_shows_changes" {
  module {
    source = "../../modules/audit_trail"
  }

  variables {
    name           = "drydock-dev-audit"
    kms_key_arn    = "arn:aws:kms:us-east-1:123456789012:key/audit"
    retention_days = 365
  }

  assert {
    condition     = aws_cloudtrail.this.is_multi_region_trail && aws_cloudtrail.this.include_global_service_events && aws_cloudtrail.this.enable_log_file_validation
    error_message = "the trail must cover every region and global services, and files must be provable"
  }

  assert {
    condition     = aws_cloudtrail.this.kms_key_id == "arn:aws:kms:us-east-1:123456789012:key/audit"
    error_message = "the files must be encrypted with the audit's own key"
  }
}

run "a_trail_that_forgets_is_refused" {
  command = plan

  module {
    source = "../../modules/audit_trail"
  }

  variables {
    name           = "drydock-dev-audit"
    kms_key_arn    = "arn:aws:kms:us-east-1:123456789012:key/audit"
    retention_days = 7
  }

  expect_failures = [var.retention_days]
}
