output "database_address" {
  description = "Host name of the database."
  value       = module.database.address
}

output "database_port" {
  description = "Port of the database."
  value       = module.database.port
}

output "database_name" {
  description = "Name of the database within the instance."
  value       = module.database.database_name
}

output "database_identifier" {
  description = "Identifier of the instance."
  value       = module.database.identifier
}

output "database_max_connections" {
  description = "Connections that the database takes."
  value       = module.database.max_connections
}

output "database_proxy_name" {
  description = "Name of the proxy, as its metrics name it; null without one."
  value       = one(module.database_proxy[*].name)
}

output "database_proxy_address" {
  description = "Host name of the pool of connections in front of the database, on the same port; null without one."
  value       = one(module.database_proxy[*].address)
}

output "database_master_secret_arn" {
  description = "Secret, managed by RDS, with the JSON keys username and password."
  value       = module.database.master_secret_arn
}

output "cache_identifier" {
  description = "Identifier of the cache's replication group."
  value       = module.cache.identifier
}

output "cache_nodes" {
  description = "Identifiers of the cache's nodes."
  value       = module.cache.nodes
}

output "cache_address" {
  description = "Host name of the cache's primary."
  value       = module.cache.address
}

output "cache_port" {
  description = "Port of the cache."
  value       = module.cache.port
}

output "cache_tls" {
  description = "Whether the cache is reached with rediss:// (true) or redis:// (false)."
  value       = module.cache.tls
}

output "database_replica_addresses" {
  description = "Host names of the database's read replicas."
  value       = module.database.replica_addresses
}

output "database_backup_copy_arn" {
  description = "Copies of the database's backups in the standby region; null without them."
  value       = one(module.database_backup_copy[*].arn)
}

output "secret_arns" {
  description = "Secrets of the workloads by name; JSON with the key password."
  value       = module.secrets.arns
}

output "cache_secret_arn" {
  description = "Secret whose key url is the cache's address with user and password; null without users."
  value       = lookup(module.secrets.arns, "cache", null)
}
