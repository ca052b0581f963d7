output "name" {
  description = "Name of the document."
  value       = aws_ssm_document.this.name
}

output "role_arn" {
  description = "Role that the automation acts as; whoever starts it passes it on."
  value       = aws_iam_role.this.arn
}
