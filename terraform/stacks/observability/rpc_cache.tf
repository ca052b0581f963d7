# What the cache in front of Solana's RPC nodes measures itself (apps/rpc_cache), where there is one.
locals {
  rpc_cache         = toset([for name in keys(var.workloads) : name if name == "rpc_cache"])
  rpc_namespace     = "Drydock/RpcCache"
  late_milliseconds = 500

  rpc_alarms = merge([for name in local.rpc_cache : {
    "${name}-node-latency" = {
      summary = "One in twenty calls of Solana's RPC waits longer than half a second for the nodes."
      runbook = "rpc-overloaded"
      tags    = { Service = name }
      metrics = {
        latency = { namespace = local.rpc_namespace, name = "NodeLatency", stat = "p95", dimensions = { Service = name } }
      }
      expression          = null
      comparison          = "GreaterThanThreshold"
      threshold           = local.late_milliseconds
      datapoints_to_alarm = 3
      evaluation_periods  = 3
      treat_missing_data  = "notBreaching" # nothing was asked, or nobody was there to answer
    }
  }]...)

  rpc_sections = [for name in local.rpc_cache : {
    title = "Solana RPC"
    widgets = [
      {
        title = "Latency of the nodes"
        unit  = "milliseconds"
        metrics = [for stat in ["p50", "p95", "p99"] : {
          id = stat, label = stat, stat = stat, namespace = local.rpc_namespace, name = "NodeLatency", dimensions = { Service = name }
        }]
        limits = { alarm = local.late_milliseconds }
      },
      {
        title = "Calls"
        unit  = "per minute"
        metrics = [for id, metric in { all = "Calls", hits = "Hits", nodes = "NodeCalls", failed = "NodeErrors", limited = "Limited" } : {
          id = id, label = metric, stat = "Sum", namespace = local.rpc_namespace, name = metric, dimensions = { Service = name }
        }]
      },
      {
        title       = "Kept from the nodes"
        unit        = "percent of calls"
        expressions = { share = "100 * hits / calls" }
        metrics = [
          { id = "hits", label = "hits", stat = "Sum", namespace = local.rpc_namespace, name = "Hits", dimensions = { Service = name }, visible = false },
          { id = "calls", label = "calls", stat = "Sum", namespace = local.rpc_namespace, name = "Calls", dimensions = { Service = name }, visible = false },
        ]
      },
    ]
  }]
}
