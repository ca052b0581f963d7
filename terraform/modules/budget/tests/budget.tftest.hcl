mock_provider "aws" {}

variables {
  name          = "drydock-dev-costs"
  alert_amounts = [25, 35, 50]
  topic_arn     = "arn:aws:sns:us-east-1:123456789012:drydock-dev-costs"
}

run "every_amount_is_told_and_the_forecast_too" {
  assert {
    condition     = sort([for n in aws_budgets_budget.this.notification : "${n.notification_type} ${n.threshold} ${n.threshold_type}"]) == tolist(["ACTUAL 25 ABSOLUTE_VALUE", "ACTUAL 35 ABSOLUTE_VALUE", "ACTUAL 50 ABSOLUTE_VALUE", "FORECASTED 100 PERCENTAGE"])
    error_message = "there must be an alert at each amount that was spent, and one at the forecast of the limit"
  }

  assert {
    condition     = aws_budgets_budget.this.limit_amount == "50.0" && aws_budgets_budget.this.limit_unit == "USD"
    error_message = "the dearest amount must be the limit"
  }

  assert {
    condition     = alltrue([for n in aws_budgets_budget.this.notification : join("", n.subscriber_sns_topic_arns) == var.topic_arn])
    error_message = "every alert must reach the topic"
  }
}

run "amounts_that_do_not_rise_are_refused" {
  command = plan

  variables {
    alert_amounts = [25, 25, 50]
  }

  expect_failures = [var.alert_amounts]
}

run "no_amount_is_refused" {
  command = plan

  variables {
    alert_amounts = [0]
  }

  expect_failures = [var.alert_amounts]
}

run "more_alerts_than_a_budget_takes_are_refused" {
  command = plan

  variables {
    alert_amounts = [10, 20, 30, 40, 50]
  }

  expect_failures = [var.alert_amounts]
}

run "a_name_that_aws_refuses_is_refused" {
  command = plan

  variables {
    name = "drydock:costs"
  }

  expect_failures = [var.name]
}
