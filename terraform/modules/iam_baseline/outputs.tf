output "permissions_boundary_arn" {
  description = "Policy that every role made for the environment carries as its permissions boundary."
  value       = aws_iam_policy.boundary.arn
}

output "break_glass_role_arn" {
  description = "Role for the day on which nothing else works."
  value       = aws_iam_role.break_glass.arn
}

output "parameter_reader_role_arn" {
  description = "Role that reads the environment's parameters."
  value       = aws_iam_role.parameter_reader.arn
}
