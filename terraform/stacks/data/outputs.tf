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

output "database_master_secret_arn" {
  description = "Secret, managed by RDS, with the JSON keys username and password."
  value       = module.database.master_secret_arn
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
