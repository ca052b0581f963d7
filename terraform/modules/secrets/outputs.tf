output "arns" {
  description = "ARN of each secret by its name, known once it can be rotated."
  value       = { for name, secret in aws_secretsmanager_secret.this : name => secret.arn }
  depends_on  = [aws_secretsmanager_secret_version.this]
}
