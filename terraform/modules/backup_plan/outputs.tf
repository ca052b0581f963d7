output "id" {
  description = "ID of the plan."
  value       = aws_backup_plan.this.id
}

output "role_arn" {
  description = "Role that takes the recovery points."
  value       = aws_iam_role.this.arn
}

output "rpo_minutes" {
  description = "Age that the newest recovery point can reach: a day, and the time until the next job must have ended."
  value       = 24 * 60 + max([for rule in aws_backup_plan.this.rule : rule.completion_window]...)
}
