output "name" {
  description = "Name of the load balancer."
  value       = aws_lb.this.name
}

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

output "url" {
  description = "Where the platform is served."
  value       = "${local.https ? "https" : "http"}://${coalesce(var.hostname, aws_lb.this.dns_name)}"
}

output "listener_arn" {
  description = "Listener that takes the workloads' path rules."
  value       = local.https ? aws_lb_listener.https[0].arn : aws_lb_listener.http.arn
}

output "trial_listener_arn" {
  description = "Listener on which a release is tried before clients see it; null where there is none."
  value       = one(aws_lb_listener.trial[*].arn)
}
