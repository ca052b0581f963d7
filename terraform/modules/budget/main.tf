# One budget for all alerts: AWS counts two budgets free, and each alert is a line in it.
resource "aws_budgets_budget" "this" {
  name         = var.name
  budget_type  = "COST"
  time_unit    = "MONTHLY"
  limit_amount = format("%.1f", max(var.alert_amounts...)) # the form that AWS gives it back in
  limit_unit   = "USD"

  # What has been spent.
  dynamic "notification" {
    for_each = var.alert_amounts

    content {
      notification_type         = "ACTUAL"
      comparison_operator       = "GREATER_THAN"
      threshold_type            = "ABSOLUTE_VALUE"
      threshold                 = notification.value
      subscriber_sns_topic_arns = [var.topic_arn]
    }
  }

  # What will have been spent at the month's end, while there is time to act.
  notification {
    notification_type         = "FORECASTED"
    comparison_operator       = "GREATER_THAN"
    threshold_type            = "PERCENTAGE"
    threshold                 = 100
    subscriber_sns_topic_arns = [var.topic_arn]
  }
}
