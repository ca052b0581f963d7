mock_provider "aws" {
  mock_resource "aws_ce_anomaly_monitor" {
    defaults = { arn = "arn:aws:ce::123456789012:anomalymonitor/made" }
  }
}

variables {
  name      = "drydock-dev-costs"
  threshold = 10
  topic_arn = "arn:aws:sns:us-east-1:123456789012:drydock-dev-costs"
}

run "a_monitor_of_all_services_is_made_and_told_at_once" {
  assert {
    condition     = aws_ce_anomaly_monitor.services[0].monitor_dimension == "SERVICE" && aws_ce_anomaly_subscription.this.monitor_arn_list == tolist(["arn:aws:ce::123456789012:anomalymonitor/made"])
    error_message = "without a monitor given, one of all services must be made and subscribed to"
  }

  assert {
    condition     = aws_ce_anomaly_subscription.this.frequency == "IMMEDIATE" && one(aws_ce_anomaly_subscription.this.subscriber).type == "SNS"
    error_message = "SNS takes immediate anomalies only"
  }

  assert {
    condition     = aws_ce_anomaly_subscription.this.threshold_expression[0].dimension[0].values == toset(["10"])
    error_message = "the threshold must be the one given"
  }
}

run "the_account_s_monitor_is_used_where_there_is_one" {
  variables {
    monitor_arn = "arn:aws:ce::123456789012:anomalymonitor/there"
  }

  assert {
    condition     = length(aws_ce_anomaly_monitor.services) == 0 && aws_ce_anomaly_subscription.this.monitor_arn_list == tolist(["arn:aws:ce::123456789012:anomalymonitor/there"])
    error_message = "an account takes one monitor of this kind, so a second must not be made"
  }
}

run "what_is_no_monitor_is_refused" {
  command = plan

  variables {
    monitor_arn = "Default-Services-Monitor"
  }

  expect_failures = [var.monitor_arn]
}

run "a_threshold_of_nothing_is_refused" {
  command = plan

  variables {
    threshold = 0
  }

  expect_failures = [var.threshold]
}
