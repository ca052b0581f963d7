output "zone_id" {
  description = "ID of the hosted zone."
  value       = aws_route53_zone.this.zone_id
}

output "name_servers" {
  description = "Where the registrar must send questions about a public zone."
  value       = aws_route53_zone.this.name_servers
}

output "record" {
  description = "Name that clients use."
  value       = var.record
}

output "health_check_ids" {
  description = "Health checks by what they watch: primary, and secondary where there is a standby."
  value       = { for role, check in aws_route53_health_check.this : role => check.id }
}

output "failover_seconds" {
  description = "Until clients reach the standby: the failures in a row, and the minute for which an alias is cached."
  value       = local.interval * var.failures + 60
}
