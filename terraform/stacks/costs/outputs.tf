output "topic_arn" {
  description = "Topic that is told of amounts reached and of anomalies."
  value       = module.notifications.topic_arn
}

output "budget_name" {
  description = "Name of the monthly budget."
  value       = module.budget.name
}
