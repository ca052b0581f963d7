# Where AWS keeps what alarms and dashboard look at.
locals {
  load_balancer = { LoadBalancer = var.load_balancer_arn_suffix }

  # Those that the load balancer sees; the others have no clients.
  served = toset([for name, workload in var.workloads : name if workload.clients])

  # A workload as seen by the load balancer, and as seen by ECS.
  # The two target groups take turns, so only both together are the workload.
  target    = { for name in local.served : name => merge(local.load_balancer, { TargetGroup = var.workloads[name].target_group_arn_suffix }) }
  alternate = { for name in local.served : name => merge(local.load_balancer, { TargetGroup = var.workloads[name].alternate_target_group_arn_suffix }) }
  tasks     = { for name, workload in var.workloads : name => { ClusterName = var.cluster_name, ServiceName = workload.service_name } }

  instance = { DBInstanceIdentifier = var.database.identifier }
}
