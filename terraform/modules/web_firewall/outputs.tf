output "arn" {
  description = "ARN of the firewall (web ACL)."
  value       = aws_wafv2_web_acl.this.arn
}

output "log_group_name" {
  description = "Log of the requests that were blocked or counted."
  value       = aws_cloudwatch_log_group.this.name
}
