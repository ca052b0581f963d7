resource "aws_cloudwatch_composite_alarm" "this" {
  alarm_name        = var.name
  alarm_description = "${var.summary} Runbook: runbooks/${var.runbook}.yml"

  alarm_rule = join(" OR ", [for alarm in sort(var.alarms) : "ALARM(\"${alarm}\")"])

  alarm_actions = [var.topic_arn]
  ok_actions    = [var.topic_arn]

  tags = var.tags
}
