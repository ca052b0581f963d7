output "service_name" {
  description = "Name of the ECS service."
  value       = aws_ecs_service.this.name
}

output "task_family" {
  description = "Family under which releases register their revisions."
  value       = aws_ecs_task_definition.template.family
}

output "task_definition_arn" {
  description = "Revision that holds the shape of a task; it is never run itself."
  value       = aws_ecs_task_definition.template.arn
}

output "container_name" {
  description = "Name of the container within a task."
  value       = var.name
}

output "log_group_name" {
  description = "Log group of the tasks."
  value       = aws_cloudwatch_log_group.this.name
}

output "target_group_arn" {
  description = "Target group of the tasks."
  value       = aws_lb_target_group.this.arn
}

output "target_group_arn_suffix" {
  description = "Target group as its metrics name it."
  value       = aws_lb_target_group.this.arn_suffix
}
