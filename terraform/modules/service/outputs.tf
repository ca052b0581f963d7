output "service_name" {
  description = "Name of the ECS service."
  value       = local.service.name
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
  value       = aws_lb_target_group.this["blue"].arn
}

output "target_group_arn_suffix" {
  description = "Target group as its metrics name it."
  value       = aws_lb_target_group.this["blue"].arn_suffix
}

output "blue_green" {
  description = "What a blue/green release needs to know; null for a workload that is delivered rolling."
  value = local.rolling ? null : {
    application        = aws_codedeploy_app.this[0].name
    deployment_group   = aws_codedeploy_deployment_group.this[0].deployment_group_name
    target_group_names = { for color, group in aws_lb_target_group.this : color => group.name }
  }
}
