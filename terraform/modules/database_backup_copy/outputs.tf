output "arn" {
  description = "ARN of the copied backups, from which the database can be restored."
  value       = aws_db_instance_automated_backups_replication.this.id
}
