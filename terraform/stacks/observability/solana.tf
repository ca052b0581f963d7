# The fleet of Solana RPC nodes: what each node says of itself, and what its load balancer sees.
locals {
  # Without fleet, none; for, because Terraform would ask an absent one for its name.
  solana_alarms = merge([for fleet in var.solana[*] : {
    solana-node-unhealthy = {
      summary = "A Solana node lags, stands still, or can't tell; it serves nobody until it has caught up."
      runbook = "solana-node-lagging"
      tags    = { Service = "solana" }
      metrics = {
        healthy = { namespace = fleet.metric_namespace, name = "NodeHealthy", stat = "Minimum", dimensions = local.solana_fleet[fleet.fleet_name] }
      }
      expression          = null
      comparison          = "LessThanThreshold"
      threshold           = 1
      datapoints_to_alarm = 2
      evaluation_periods  = 3
      treat_missing_data  = "notBreaching" # no node, or one in planned maintenance; a dead one is seen below
    }

    solana-node-out = {
      summary = "A Solana node gives its load balancer a bad answer or none at all."
      runbook = "solana-node-lagging"
      tags    = { Service = "solana" }
      metrics = {
        out = {
          namespace  = "AWS/NetworkELB", name = "UnHealthyHostCount", stat = "Minimum"
          dimensions = { LoadBalancer = fleet.load_balancer_arn_suffix, TargetGroup = fleet.target_group_arn_suffix }
        }
      }
      expression          = null
      comparison          = "GreaterThanOrEqualToThreshold"
      threshold           = 1
      datapoints_to_alarm = 3
      evaluation_periods  = 3
      treat_missing_data  = "notBreaching" # no node is registered
    }
  }]...)

  solana_fleet = { for fleet in var.solana[*] : fleet.fleet_name => { AutoScalingGroupName = fleet.fleet_name } }

  solana_sections = [for fleet in var.solana[*] : {
    title = "Solana nodes"
    widgets = [for title, graph in {
      "Worst distance to the cluster" = { unit = "slots", metric = "SlotsBehind", stat = "Maximum", limits = {} }
      "Worst node's health"           = { unit = "1 is healthy", metric = "NodeHealthy", stat = "Minimum", limits = { alarm = 1 } }
      "Requests to a node"            = { unit = "per second", metric = "RpcRequestsPerSecond", stat = "Average", limits = {} }
      "Latency of a node's RPC"       = { unit = "milliseconds", metric = "RpcLatencyP95", stat = "Maximum", limits = {} }
      } : {
      title   = title
      unit    = graph.unit
      limits  = graph.limits
      metrics = [{ id = "nodes", label = graph.metric, stat = graph.stat, namespace = fleet.metric_namespace, name = graph.metric, dimensions = local.solana_fleet[fleet.fleet_name] }]
    }]
  }]
}
