output "notification_topic_arn" {
  description = "Topic that is told of alarms, and of runbooks that are opened and closed."
  value       = module.notifications.topic_arn
}

output "alarms" {
  description = "Runbook of each alarm, by the alarm's name."
  value       = { for alarm in concat(values(module.alarm), values(module.impaired)) : alarm.name => alarm.runbook }
}

output "dashboard_name" {
  description = "Name of the dashboard."
  value       = module.dashboard.name
}
