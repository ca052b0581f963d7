output "name" {
  description = "Name of the vault."
  value       = aws_backup_vault.this.name
}

# Recovery points come only after the lock: without it the first of them could be deleted.
output "arn" {
  description = "ARN of the vault, known once it is locked."
  value       = aws_backup_vault.this.arn
  depends_on  = [aws_backup_vault_lock_configuration.this]
}
