mock_provider "aws" {
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:us-east-1:123456789012:drydock-dev-alarms" }
  }
}

variables {
  name        = "drydock-dev-alarms"
  account_id  = "123456789012"
  region      = "us-east-1"
  kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/data"
}

run "only_this_account_s_alarms_publish" {
  module {
    source = "../../modules/notifications"
  }

  variables {
    subscriptions = {
      on-call = { protocol = "email", endpoint = "on-call@example.com" }
      pager   = { protocol = "https", endpoint = "https://pager.example.com/drydock" }
    }
  }

  assert {
    condition     = aws_sns_topic.this.kms_master_key_id == "arn:aws:kms:us-east-1:123456789012:key/data"
    error_message = "messages must be encrypted with the environment's key"
  }

  assert {
    condition = [
      for statement in jsondecode(aws_sns_topic_policy.this.policy).Statement :
      "${statement.Principal.Service} ${statement.Action} ${statement.Condition.StringEquals["aws:SourceAccount"]} ${statement.Condition.ArnLike["aws:SourceArn"]}"
    ] == ["cloudwatch.amazonaws.com sns:Publish 123456789012 arn:aws:cloudwatch:us-east-1:123456789012:alarm:*"]
    error_message = "CloudWatch may publish for this account's alarms, and no other service may"
  }

  assert {
    condition     = length(aws_sns_topic_subscription.this) == 2
    error_message = "everybody who is to be told must be subscribed"
  }
}

run "other_publishers_stand_in_for_alarms" {
  module {
    source = "../../modules/notifications"
  }

  variables {
    publishers = {
      Budgets = { service = "budgets.amazonaws.com", source_arn = "arn:aws:budgets::123456789012:*" }
    }
  }

  assert {
    condition = [
      for statement in jsondecode(aws_sns_topic_policy.this.policy).Statement :
      "${statement.Sid} ${statement.Principal.Service} ${statement.Resource} ${statement.Condition.StringEquals["aws:SourceAccount"]} ${statement.Condition.ArnLike["aws:SourceArn"]}"
    ] == ["Budgets budgets.amazonaws.com arn:aws:sns:us-east-1:123456789012:drydock-dev-alarms 123456789012 arn:aws:budgets::123456789012:*"]
    error_message = "the publishers given, and no others, may publish to this topic for this account"
  }
}

run "a_plain_http_subscriber_is_refused" {
  command = plan

  module {
    source = "../../modules/notifications"
  }

  variables {
    subscriptions = { pager = { protocol = "https", endpoint = "http://pager.example.com" } }
  }

  expect_failures = [var.subscriptions]
}

run "a_fax_is_refused" {
  command = plan

  module {
    source = "../../modules/notifications"
  }

  variables {
    subscriptions = { fax = { protocol = "fax", endpoint = "1234" } }
  }

  expect_failures = [var.subscriptions]
}
