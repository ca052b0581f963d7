output "group_id" {
  description = "Group of users, for the cache."
  value       = aws_elasticache_user_group.this.user_group_id
}

output "id" {
  description = "Id, and name, of the workloads' user."
  value       = aws_elasticache_user.this.user_id
}

output "arn" {
  description = "ARN of the workloads' user."
  value       = aws_elasticache_user.this.arn
}
