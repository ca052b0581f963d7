output "dns_name" {
  description = "Name of the accelerator."
  value       = aws_globalaccelerator_accelerator.this.dns_name
}

output "zone_id" {
  description = "Hosted zone that AWS keeps for such names, for an alias."
  value       = aws_globalaccelerator_accelerator.this.hosted_zone_id
}

output "addresses" {
  description = "Its fixed addresses."
  value       = flatten(aws_globalaccelerator_accelerator.this.ip_sets[*].ip_addresses)
}
