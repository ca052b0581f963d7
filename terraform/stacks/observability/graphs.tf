# Latency, errors and saturation: of each workload, of the database, of the cache.
locals {
  # What the load balancer sees.
  served_widgets = { for name in local.served : name => [
    {
      title = "Latency of ${name}"
      unit  = "seconds"
      metrics = flatten([for stat in ["p50", "p90", "p99"] : [for group, dimensions in { blue = local.target[name], green = local.alternate[name] } : {
        id = "${stat}_${group}", label = "${stat} ${group}", stat = stat, namespace = "AWS/ApplicationELB", name = "TargetResponseTime", dimensions = dimensions
      }]])
      limits = { alarm = local.alarms["${name}-latency"].threshold }
    },
    {
      title       = "Errors of ${name}"
      unit        = "percent of requests"
      expressions = { share = local.alarms["${name}-5xx"].expression }
      limits      = { alarm = local.alarms["${name}-5xx"].threshold }
      metrics = [
        { id = "errors", label = "5xx", stat = "Sum", namespace = "AWS/ApplicationELB", name = "HTTPCode_Target_5XX_Count", dimensions = local.target[name], visible = false },
        { id = "requests", label = "requests", stat = "Sum", namespace = "AWS/ApplicationELB", name = "RequestCount", dimensions = local.target[name], visible = false },
        { id = "errors_alternate", label = "5xx", stat = "Sum", namespace = "AWS/ApplicationELB", name = "HTTPCode_Target_5XX_Count", dimensions = local.alternate[name], visible = false },
        { id = "requests_alternate", label = "requests", stat = "Sum", namespace = "AWS/ApplicationELB", name = "RequestCount", dimensions = local.alternate[name], visible = false },
      ]
    },
    {
      title = "Requests to ${name}"
      unit  = "per minute"
      metrics = flatten([for id, metric in { all = "RequestCount", e4xx = "HTTPCode_Target_4XX_Count", e5xx = "HTTPCode_Target_5XX_Count", refused = "TargetConnectionErrorCount" } : [for group, dimensions in { blue = local.target[name], green = local.alternate[name] } : {
        id = "${id}_${group}", label = "${metric} ${group}", stat = "Sum", namespace = "AWS/ApplicationELB", name = metric, dimensions = dimensions
      }]])
    },
  ] }

  workload_sections = [for name in keys(var.workloads) : {
    title = name
    widgets = concat(lookup(local.served_widgets, name, []), [
      {
        title = "Saturation of ${name}"
        unit  = "percent"
        metrics = [for id, metric in { cpu = "CPUUtilization", memory = "MemoryUtilization" } : {
          id = id, label = metric, stat = "Average", namespace = "AWS/ECS", name = metric, dimensions = local.tasks[name]
        }]
        limits = { "CPU alarm" = local.alarms["${name}-cpu"].threshold }
      },
      {
        title = "Tasks of ${name}"
        unit  = "tasks"
        metrics = concat(
          [for id, metric in { desired = "DesiredTaskCount", running = "RunningTaskCount", pending = "PendingTaskCount" } : {
            id                         = id, label = id, stat = "Maximum", namespace = "ECS/ContainerInsights", name = metric, dimensions = local.tasks[name]
          }],
          [for group, dimensions in { for key, known in { blue = local.target, green = local.alternate } : key => known[name] if contains(keys(known), name) } : {
            id = "healthy_${group}", label = "healthy ${group}", stat = "Minimum", namespace = "AWS/ApplicationELB", name = "HealthyHostCount", dimensions = dimensions
          }],
        )
      },
    ])
  }]

  database_section = {
    title = "Database"
    widgets = [
      {
        title = "Connections"
        unit  = "connections"
        metrics = concat(
          [{ id = "database", label = "database", stat = "Maximum", namespace = "AWS/RDS", name = "DatabaseConnections", dimensions = local.instance }],
          [for name in var.database.proxy_name[*] : { id = "clients", label = "clients of the proxy", stat = "Sum", namespace = "AWS/RDS", name = "ClientConnections", dimensions = { ProxyName = name } }],
        )
        limits = { alarm = local.connections_threshold, maximum = var.database.max_connections }
      },
      {
        title   = "Database CPU"
        unit    = "percent"
        metrics = [{ id = "cpu", label = "CPU", stat = "Average", namespace = "AWS/RDS", name = "CPUUtilization", dimensions = local.instance }]
      },
      {
        title = "Database storage and memory left"
        unit  = "bytes"
        metrics = [for id, metric in { storage = "FreeStorageSpace", memory = "FreeableMemory" } : {
          id = id, label = id, stat = "Minimum", namespace = "AWS/RDS", name = metric, dimensions = local.instance
        }]
      },
    ]
  }

  cache_section = {
    title = "Cache"
    widgets = [for title, graph in {
      "Cache CPU"             = { unit = "percent", metric = "EngineCPUUtilization", stat = "Average" }
      "Cache memory"          = { unit = "percent", metric = "DatabaseMemoryUsagePercentage", stat = "Maximum" }
      "Cache connections"     = { unit = "connections", metric = "CurrConnections", stat = "Maximum" }
      "Cache evictions"       = { unit = "per minute", metric = "Evictions", stat = "Sum" }
      "Cache replication lag" = { unit = "seconds", metric = "ReplicationLag", stat = "Maximum" }
      "Cache misses"          = { unit = "per minute", metric = "CacheMisses", stat = "Sum" }
      } : {
      title = title
      unit  = graph.unit
      metrics = [for index, node in sort(var.cache_nodes) : {
        id = "node${index}", label = node, stat = graph.stat, namespace = "AWS/ElastiCache", name = graph.metric
        # ElastiCache numbers the one node of each Redis or Valkey cluster like this.
        dimensions = { CacheClusterId = node, CacheNodeId = "0001" }
      }]
    }]
  }
}
