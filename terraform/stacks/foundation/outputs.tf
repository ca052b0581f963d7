output "vpc_id" {
  description = "ID of the VPC."
  value       = module.network.vpc_id
}

output "vpc_cidr" {
  description = "IPv4 range of the VPC."
  value       = module.network.vpc_cidr
}

output "public_subnet_ids" {
  description = "Subnets of the load balancer, one per zone."
  value       = module.network.public_subnet_ids
}

output "private_subnet_ids" {
  description = "Subnets of the workloads, one per zone."
  value       = module.network.private_subnet_ids
}

output "isolated_subnet_ids" {
  description = "Subnets of databases and caches, one per zone."
  value       = module.network.isolated_subnet_ids
}

output "security_group_ids" {
  description = "Security groups by what they guard: load_balancer, workload, database, database_proxy, cache."
  value       = module.security_groups.ids
}

output "kms_key_arn" {
  description = "Key for the environment's data at rest."
  value       = module.key.arn
}

output "nat_public_ips" {
  description = "Addresses from which the workloads reach the internet."
  value       = module.network.nat_public_ips
}

output "private_route_table_ids" {
  description = "Route tables of the workloads' subnets, one per zone."
  value       = module.network.private_route_table_ids
}

output "endpoint_ids" {
  description = "VPC endpoints by service: s3, dynamodb, and those with an address in the VPC."
  value       = merge(module.endpoints.gateway_ids, module.endpoints.interface_ids)
}

output "flow_log_destination" {
  description = "ARN of the bucket or log group that takes the VPC's flow logs."
  value       = module.flow_logs.destination_arn
}
