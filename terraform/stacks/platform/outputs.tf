output "load_balancer_name" {
  description = "Name of the load balancer."
  value       = module.load_balancer.name
}

output "load_balancer_dns_name" {
  description = "Address of the load balancer."
  value       = module.load_balancer.dns_name
}

output "load_balancer_arn" {
  description = "ARN of the load balancer."
  value       = module.load_balancer.arn
}

output "load_balancer_arn_suffix" {
  description = "Load balancer as its metrics name it."
  value       = module.load_balancer.arn_suffix
}

output "url" {
  description = "Where the platform is served."
  value       = module.load_balancer.url
}

output "cluster_name" {
  description = "ECS cluster of the workloads."
  value       = module.cluster.name
}

output "workloads" {
  description = "What a release of each workload needs to know; what leads clients to it is null where it has none."
  value = {
    for name, service in module.service : name => {
      repository_url                    = module.registry[name].url
      repository_name                   = module.registry[name].name
      service_name                      = service.service_name
      task_family                       = service.task_family
      task_definition_arn               = service.task_definition_arn
      container_name                    = service.container_name
      log_group_name                    = service.log_group_name
      target_group_arn                  = service.target_group_arn
      target_group_arn_suffix           = service.target_group_arn_suffix
      alternate_target_group_arn        = service.alternate_target_group_arn
      alternate_target_group_arn_suffix = service.alternate_target_group_arn_suffix
      client_rule_arn                   = service.client_rule_arn
      trial_rule_arn                    = service.trial_rule_arn
      delivery_role_arn                 = service.delivery_role_arn
      database                          = var.workloads[name].database
      clients                           = length(var.workloads[name].path_patterns) > 0 # known before anything is made
    }
  }
}

output "access_log_bucket" {
  description = "Bucket with a line about every request to the load balancer."
  value       = module.access_logs.id
}

output "assets_bucket" {
  description = "Bucket of static assets."
  value       = module.assets.id
}

output "firewall_arn" {
  description = "Firewall before the load balancer; null where there is none."
  value       = one(module.firewall[*].arn)
}
