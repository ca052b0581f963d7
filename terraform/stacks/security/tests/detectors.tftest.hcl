mock_provider "aws" {
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/drydock-dev-config" }
  }
}

variables {
  name               = "drydock-dev"
  account_id         = "123456789012"
  region             = "us-east-1"
  guardduty_features = ["S3_DATA_EVENTS"]
  security_hub       = true
  bucket             = "drydock-dev-audit-123456789012"
  bucket_arn         = "arn:aws:s3:::drydock-dev-audit-123456789012"
  kms_key_arn        = "arn:aws:kms:us-east-1:123456789012:key/audit"
  recording          = "daily"
  retention_days     = 3650
  rules = {
    encrypted-volumes = {}
    required-tags     = { tag1Key = "Owner" }
  }
  topic_arn = "arn:aws:sns:us-east-1:123456789012:drydock-dev-security"
  notices = {
    root = {
      description = "The root user was at work"
      pattern     = "{\"detail\":{\"userIdentity\":{\"type\":[\"Root\"]}}}"
      sentence    = "<who> was here."
      paths       = { who = "$.detail.userIdentity.arn" }
    }
  }
}

run "detectors_are_on" {
  module {
    source = "../../modules/threat_detection"
  }

  assert {
    condition     = aws_guardduty_detector.this.enable && aws_guardduty_detector_feature.this["S3_DATA_EVENTS"].status == "ENABLED" && aws_accessanalyzer_analyzer.this.type == "ACCOUNT"
    error_message = "GuardDuty, what it was told to read, and the analyzer must be on"
  }

  assert {
    condition     = aws_securityhub_standards_subscription.this["aws-foundational-security-best-practices/v/1.0.0"].standards_arn == "arn:aws:securityhub:us-east-1::standards/aws-foundational-security-best-practices/v/1.0.0"
    error_message = "the account must be held against AWS's foundational practices"
  }
}

run "security_hub_can_be_left_out" {
  command = plan

  module {
    source = "../../modules/threat_detection"
  }

  variables {
    security_hub = false
  }

  assert {
    condition     = length(aws_securityhub_account.this) == 0 && length(aws_securityhub_standards_subscription.this) == 0
    error_message = "without the hub there are no standards"
  }
}

run "an_unknown_feature_is_refused" {
  command = plan

  module {
    source = "../../modules/threat_detection"
  }

  variables {
    guardduty_features = ["EVERYTHING"]
  }

  expect_failures = [var.guardduty_features]
}

run "config_records_and_holds_against_rules" {
  module {
    source = "../../modules/configuration_history"
  }

  assert {
    condition     = aws_config_configuration_recorder.this.recording_group[0].all_supported && aws_config_configuration_recorder.this.recording_mode[0].recording_frequency == "DAILY" && aws_config_configuration_recorder_status.this.is_enabled
    error_message = "all resources must be recorded, as often as was said"
  }

  assert {
    condition     = aws_config_config_rule.this["required-tags"].source[0].source_identifier == "REQUIRED_TAGS" && jsondecode(aws_config_config_rule.this["required-tags"].input_parameters) == { tag1Key = "Owner" }
    error_message = "a rule is AWS's by its name, with its parameters"
  }

  assert {
    condition     = aws_config_retention_configuration.this.retention_period_in_days == 2557
    error_message = "Config keeps seven years at most"
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.config.policy).Statement : startswith(statement.Resource, "arn:aws:s3:::drydock-dev-audit") || startswith(statement.Resource, "arn:aws:kms")
    ])
    error_message = "Config writes to its bucket with its key, and nowhere else"
  }
}

run "wrong_rules_are_refused" {
  command = plan

  module {
    source = "../../modules/configuration_history"
  }

  variables {
    recording = "hourly"
    rules     = { ENCRYPTED_VOLUMES = {} }
  }

  expect_failures = [var.recording, var.rules]
}

run "a_notice_is_a_sentence" {
  module {
    source = "../../modules/event_notices"
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_target.this["root"].input_transformer[0].input_template) == "The root user was at work. <who> was here. Account <account>, <region>, <time>."
    error_message = "who is told reads a sentence, not JSON"
  }

  assert {
    condition     = aws_cloudwatch_event_target.this["root"].input_transformer[0].input_paths["who"] == "$.detail.userIdentity.arn" && aws_cloudwatch_event_target.this["root"].arn == var.topic_arn
    error_message = "names in the sentence come from the event, and it goes to the topic"
  }
}

run "a_notice_of_everything_is_refused" {
  command = plan

  module {
    source = "../../modules/event_notices"
  }

  variables {
    notices = { all = { description = "x", pattern = "{}", sentence = "<who>", paths = {} } }
  }

  expect_failures = [var.notices]
}
