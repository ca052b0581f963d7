output "names" {
  description = "Name of each parameter by the last word of its path."
  value       = { for name, parameter in aws_ssm_parameter.this : name => parameter.name }
}
