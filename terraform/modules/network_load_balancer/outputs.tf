output "arn" {
  description = "ARN of the load balancer."
  value       = aws_lb.this.arn
}

output "arn_suffix" {
  description = "Load balancer as its metrics name it."
  value       = aws_lb.this.arn_suffix
}

output "dns_name" {
  description = "Address of the load balancer."
  value       = aws_lb.this.dns_name
}

output "target_group_arns" {
  description = "Target group of each port by the port's name."
  value       = { for name, group in aws_lb_target_group.this : name => group.arn }
}

output "target_group_arn_suffixes" {
  description = "Target groups as their metrics name them, by the port's name."
  value       = { for name, group in aws_lb_target_group.this : name => group.arn_suffix }
}

output "security_group_id" {
  description = "Security group of the load balancer."
  value       = aws_security_group.this.id
}
