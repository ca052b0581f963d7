output "fleet_name" {
  description = "Auto Scaling group of the nodes; dimension AutoScalingGroupName of their metrics."
  value       = module.fleet.name
}

output "drain_hook" {
  description = "Lifecycle hook that a node which is taken away ends when it has exited."
  value       = module.fleet.drain_hook
}

output "node_tags" {
  description = "Tags by which the inventory finds the nodes."
  value       = { Environment = var.environment, Role = "solana_rpc" }
}

output "node_image" {
  description = "Image that the next node starts from."
  value       = module.fleet.image_name
}

output "volumes" {
  description = "Device name of each disk as EC2 calls it, by what belongs on it."
  value       = { for name, volume in var.fleet.volumes : name => volume.device }
}

output "rpc_url" {
  description = "Where workloads ask."
  value       = "http://${module.load_balancer.dns_name}:${local.ports.rpc}"
}

output "websocket_url" {
  description = "Where workloads subscribe."
  value       = "ws://${module.load_balancer.dns_name}:${local.ports.websocket}"
}

output "health_check" {
  description = "Where a node answers the load balancer."
  value       = local.health_check
}

output "ports" {
  description = "Ports of the nodes: rpc, websocket, and the cluster's range."
  value       = merge(local.ports, { cluster_from = local.cluster_ports.from, cluster_to = local.cluster_ports.to })
}

output "metric_namespace" {
  description = "The one CloudWatch namespace that nodes may write to."
  value       = local.namespace
}

output "log_group" {
  description = "Log group of the nodes."
  value       = aws_cloudwatch_log_group.this.name
}

output "load_balancer_arn_suffix" {
  description = "Load balancer as its metrics name it."
  value       = module.load_balancer.arn_suffix
}

output "target_group_arns" {
  description = "Target groups by port: rpc and websocket."
  value       = module.load_balancer.target_group_arns
}

output "target_group_arn_suffixes" {
  description = "Target groups as their metrics name them, by port."
  value       = module.load_balancer.target_group_arn_suffixes
}
