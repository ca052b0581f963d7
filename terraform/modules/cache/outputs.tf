output "identifier" {
  description = "Identifier of the replication group."
  value       = aws_elasticache_replication_group.this.replication_group_id
}

output "nodes" {
  description = "Identifiers of the nodes, primary and replicas, as their metrics name them."
  value       = sort(aws_elasticache_replication_group.this.member_clusters)
}

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
