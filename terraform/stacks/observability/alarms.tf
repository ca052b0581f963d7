# Every alarm of the environment with its runbook. An alarm without a runbook cannot be
# made (modules/alarm), so what is not here yet waits for somebody to write what to do.
locals {
  served_alarms = merge([for name in local.served : {
    "${name}-5xx" = {
      summary = "More than 5 % of the requests to ${name} are answered with a server error by its own tasks."
      runbook = "high-5xx"
      tags    = { Service = name }
      metrics = {
        errors             = { namespace = "AWS/ApplicationELB", name = "HTTPCode_Target_5XX_Count", stat = "Sum", dimensions = local.target[name] }
        errors_alternate   = { namespace = "AWS/ApplicationELB", name = "HTTPCode_Target_5XX_Count", stat = "Sum", dimensions = local.alternate[name] }
        requests           = { namespace = "AWS/ApplicationELB", name = "RequestCount", stat = "Sum", dimensions = local.target[name] }
        requests_alternate = { namespace = "AWS/ApplicationELB", name = "RequestCount", stat = "Sum", dimensions = local.alternate[name] }
      }
      # Lists leave out a group that has no value, as the idle one. A share, so that one number fits a busy and a quiet service.
      expression          = "100 * FILL(SUM([errors, errors_alternate]), 0) / SUM([requests, requests_alternate])"
      comparison          = "GreaterThanThreshold"
      threshold           = 5
      datapoints_to_alarm = 2
      evaluation_periods  = 3
      treat_missing_data  = "notBreaching" # no request, no error
    }

    "${name}-latency" = {
      summary = "One in a hundred requests to ${name} waits longer than a second for its tasks."
      runbook = "high-5xx"
      tags    = { Service = name }
      metrics = {
        latency           = { namespace = "AWS/ApplicationELB", name = "TargetResponseTime", stat = "p99", dimensions = local.target[name] }
        latency_alternate = { namespace = "AWS/ApplicationELB", name = "TargetResponseTime", stat = "p99", dimensions = local.alternate[name] }
      }
      expression          = "MAX([latency, latency_alternate])"
      comparison          = "GreaterThanThreshold"
      threshold           = 1
      datapoints_to_alarm = 3
      evaluation_periods  = 3
      treat_missing_data  = "notBreaching"
    }
  }]...)

  # What says that a task is up. ECS itself judges those without clients, by their containers' own
  # health checks: it stops one that fails them.
  up = { for name in keys(var.workloads) : name => contains(local.served, name) ? {
    healthy           = { namespace = "AWS/ApplicationELB", name = "HealthyHostCount", stat = "Minimum", dimensions = local.target[name] }
    healthy_alternate = { namespace = "AWS/ApplicationELB", name = "HealthyHostCount", stat = "Minimum", dimensions = local.alternate[name] }
    } : {
    running = { namespace = "ECS/ContainerInsights", name = "RunningTaskCount", stat = "Minimum", dimensions = local.tasks[name] }
  } }

  workload_alarms = merge(local.served_alarms, [for name in keys(var.workloads) : {
    "${name}-tasks" = {
      summary = "${name} has fewer healthy tasks than it should have."
      runbook = "ecs-tasks-flapping"
      tags    = { Service = name }
      metrics = merge({
        desired = { namespace = "ECS/ContainerInsights", name = "DesiredTaskCount", stat = "Maximum", dimensions = local.tasks[name] }
      }, local.up[name])
      # A target group without any target has no HealthyHostCount: that is none, unless
      # none is desired, as before the first release.
      expression          = join(" - ", concat(["desired"], [for metric in keys(local.up[name]) : "FILL(${metric}, 0)"]))
      comparison          = "GreaterThanOrEqualToThreshold"
      threshold           = 1
      datapoints_to_alarm = 3
      evaluation_periods  = 5 # tasks that flap are up for a period now and then
      treat_missing_data  = "breaching"
    }

    "${name}-cpu" = {
      summary = "The tasks of ${name} are short of CPU, and autoscaling has not helped."
      runbook = "high-5xx"
      tags    = { Service = name }
      metrics = {
        cpu = { namespace = "AWS/ECS", name = "CPUUtilization", stat = "Average", dimensions = local.tasks[name] }
      }
      expression          = null
      comparison          = "GreaterThanThreshold"
      threshold           = 85 # above the 70 that autoscaling aims at
      datapoints_to_alarm = 3
      evaluation_periods  = 3
      treat_missing_data  = "notBreaching" # no task: that is the tasks alarm's to say
    }
  }]...)

  shared_alarms = {
    load-balancer-5xx = {
      summary = "The load balancer itself answers with server errors: targets refuse, hang or are missing."
      runbook = "high-5xx"
      tags    = {}
      metrics = {
        errors = { namespace = "AWS/ApplicationELB", name = "HTTPCode_ELB_5XX_Count", stat = "Sum", dimensions = local.load_balancer }
      }
      expression          = null
      comparison          = "GreaterThanOrEqualToThreshold"
      threshold           = 5
      datapoints_to_alarm = 2
      evaluation_periods  = 3
      treat_missing_data  = "notBreaching"
    }

    database-connections = {
      summary = "80 % of the database's connections are taken; soon new ones are refused."
      runbook = "db-connections-exhausted"
      tags    = {}
      metrics = {
        connections = { namespace = "AWS/RDS", name = "DatabaseConnections", stat = "Maximum", dimensions = local.instance }
      }
      expression          = null
      comparison          = "GreaterThanOrEqualToThreshold"
      threshold           = local.connections_threshold
      datapoints_to_alarm = 2
      evaluation_periods  = 3
      treat_missing_data  = "missing" # neither good nor bad is known of a database that reports nothing
    }
  }

  connections_threshold = floor(var.database.max_connections * 0.8)

  alarms = merge(local.workload_alarms, local.rpc_alarms, local.event_alarms, local.solana_alarms, local.shared_alarms)
}
