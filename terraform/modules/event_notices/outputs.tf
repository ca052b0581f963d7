output "rule_arns" {
  description = "ARN of each rule, by the notice's name."
  value       = { for name, rule in aws_cloudwatch_event_rule.this : name => rule.arn }
}
