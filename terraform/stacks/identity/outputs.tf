output "permissions_boundary_arn" {
  description = "Policy that every role made for the environment carries as its permissions boundary."
  value       = module.baseline.permissions_boundary_arn
}

output "break_glass_role_arn" {
  description = "Role for the day on which nothing else works."
  value       = module.baseline.break_glass_role_arn
}

output "parameter_reader_role_arn" {
  description = "Role that reads the environment's parameters."
  value       = module.baseline.parameter_reader_role_arn
}

output "ci_role_arns" {
  description = "Roles that GitHub Actions takes, by what they do: plan, apply, deploy."
  value       = module.github.role_arns
}
