output "rule_names" {
  description = "Names of the rules."
  value       = [for rule in aws_config_config_rule.this : rule.name]
}
