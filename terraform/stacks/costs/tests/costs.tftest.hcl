mock_provider "aws" {
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:us-east-1:123456789012:drydock-dev-costs" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:us-east-1:123456789012:key/costs" }
  }
  mock_resource "aws_ce_anomaly_monitor" {
    defaults = { arn = "arn:aws:ce::123456789012:anomalymonitor/made" }
  }
}

variables {
  environment       = "dev"
  account_id        = "123456789012"
  region            = "us-east-1"
  owner             = "platform-team"
  cost_center       = "trading"
  alert_amounts     = [25, 35, 50]
  anomaly_threshold = 10
}

run "budgets_and_anomalies_reach_the_topic_and_its_key" {
  assert {
    condition = {
      services = local.key_statement.Principal.Service
      only     = local.key_statement.Condition.StringEquals
      } == {
      services = tolist(["budgets.amazonaws.com", "costalerts.amazonaws.com"])
      only = {
        "aws:SourceAccount"                      = "123456789012"
        "kms:EncryptionContext:aws:sns:topicArn" = "arn:aws:sns:us-east-1:123456789012:drydock-dev-costs"
      }
    }
    error_message = "both services, and no others, must be able to use the key, for this topic alone"
  }

  assert {
    condition     = length(aws_ce_cost_allocation_tag.this) == 0
    error_message = "no tag may be activated unasked: AWS refuses keys that it has not seen"
  }
}

run "tags_are_shown_in_bills_where_asked_for" {
  variables {
    allocation_tags = ["Environment", "Owner"]
  }

  assert {
    condition     = { for key, tag in aws_ce_cost_allocation_tag.this : key => tag.status } == { Environment = "Active", Owner = "Active" }
    error_message = "the tags asked for must be active"
  }
}

run "a_tag_that_nothing_carries_is_refused" {
  command = plan

  variables {
    allocation_tags = ["Team"]
  }

  expect_failures = [var.allocation_tags]
}
