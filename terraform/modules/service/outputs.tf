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
  description = "First of the two target groups of the tasks; which one serves is a matter of the releases; null without clients, as all that follows."
  value       = one([for key, group in aws_lb_target_group.this : group.arn if key == "blue"])
}

output "target_group_arn_suffix" {
  description = "That group as its metrics name it."
  value       = one([for key, group in aws_lb_target_group.this : group.arn_suffix if key == "blue"])
}

output "alternate_target_group_arn" {
  description = "Second of the two target groups of the tasks."
  value       = one([for key, group in aws_lb_target_group.this : group.arn if key == "green"])
}

output "alternate_target_group_arn_suffix" {
  description = "That group as its metrics name it."
  value       = one([for key, group in aws_lb_target_group.this : group.arn_suffix if key == "green"])
}

output "client_rule_arn" {
  description = "Listener rule by which clients come."
  value       = one(aws_lb_listener_rule.this[*].arn)
}

output "trial_rule_arn" {
  description = "Listener rule by which a release is tried before clients see it."
  value       = one(aws_lb_listener_rule.trial[*].arn)
}

output "delivery_role_arn" {
  description = "Role by which ECS turns clients, and asks a release's hooks."
  value       = one(aws_iam_role.delivery[*].arn)
}
