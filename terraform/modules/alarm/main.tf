# Every alarm is written as metric math, also where it watches one metric as it is: one
# shape to read, and a rate or a difference needs no other kind of alarm.
resource "aws_cloudwatch_metric_alarm" "this" {
  alarm_name        = var.name
  alarm_description = "${var.summary} Runbook: runbooks/${var.runbook}.yml"

  comparison_operator = var.comparison
  threshold           = var.threshold
  evaluation_periods  = var.evaluation_periods
  datapoints_to_alarm = var.datapoints_to_alarm
  treat_missing_data  = var.treat_missing_data

  dynamic "metric_query" {
    for_each = var.metrics

    content {
      id          = metric_query.key
      return_data = var.expression == null

      metric {
        namespace   = metric_query.value.namespace
        metric_name = metric_query.value.name
        dimensions  = metric_query.value.dimensions
        stat        = metric_query.value.stat
        period      = var.period
      }
    }
  }

  dynamic "metric_query" {
    for_each = var.expression[*]

    content {
      id          = "result"
      expression  = metric_query.value
      label       = var.name
      return_data = true
    }
  }

  alarm_actions = [var.topic_arn]
  ok_actions    = [var.topic_arn]

  tags = var.tags
}
