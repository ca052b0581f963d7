output "address" {
  description = "Host name of the primary, which follows a failover."
  value       = aws_elasticache_replication_group.this.primary_endpoint_address
}

output "port" {
  description = "Port of the nodes."
  value       = aws_elasticache_replication_group.this.port
}

output "tls" {
  description = "Whether clients must speak TLS (rediss://)."
  value       = aws_elasticache_replication_group.this.transit_encryption_enabled
}
