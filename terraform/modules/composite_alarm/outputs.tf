output "name" {
  description = "Name of the alarm."
  value       = aws_cloudwatch_composite_alarm.this.alarm_name
}

output "arn" {
  description = "ARN of the alarm."
  value       = aws_cloudwatch_composite_alarm.this.arn
}

output "runbook" {
  description = "Runbook that answers the alarm."
  value       = var.runbook
}
