output "role_arns" {
  description = "ARN of each role, by what it does."
  value       = { for name, role in aws_iam_role.ci : name => role.arn }
}

output "provider_arn" {
  description = "GitHub as the account knows it."
  value       = aws_iam_openid_connect_provider.github.arn
}
