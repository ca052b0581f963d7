mock_provider "aws" {
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:us-east-1:123456789012:drydock-dev-alarms" }
  }
}

variables {
  environment              = "dev"
  account_id               = "123456789012"
  region                   = "us-east-1"
  owner                    = "platform"
  cost_center              = "trading"
  kms_key_arn              = "arn:aws:kms:us-east-1:123456789012:key/data"
  load_balancer_arn_suffix = "app/drydock-dev/1"
  cluster_name             = "drydock-dev"
  database                 = { identifier = "drydock-dev", max_connections = 81 }
  cache_nodes              = ["drydock-dev-001", "drydock-dev-002"]

  workloads = {
    trading_api = { service_name = "trading_api", target_group_arn_suffix = "targetgroup/trading/1", alternate_target_group_arn_suffix = "targetgroup/trading/2", log_group_name = "/drydock-dev/trading_api" }
  }
}

run "every_alarm_has_its_runbook" {
  assert {
    condition = output.alarms == {
      drydock-dev-trading_api-5xx      = "high-5xx"
      drydock-dev-trading_api-latency  = "high-5xx"
      drydock-dev-trading_api-cpu      = "high-5xx"
      drydock-dev-trading_api-impaired = "high-5xx"
      drydock-dev-trading_api-tasks    = "ecs-tasks-flapping"
      drydock-dev-load-balancer-5xx    = "high-5xx"
      drydock-dev-database-connections = "db-connections-exhausted"
    }
    error_message = "runbooks and drills find the alarms by these names"
  }

  assert {
    condition     = output.notification_topic_arn == "arn:aws:sns:us-east-1:123456789012:drydock-dev-alarms" && output.dashboard_name == "drydock-dev"
    error_message = "runbooks notify the topic that the alarms do"
  }
}

run "a_workload_without_clients_is_watched_as_ecs_sees_it" {
  variables {
    workloads = {
      consumer    = { service_name = "consumer", clients = false }
      trading_api = { service_name = "trading_api", target_group_arn_suffix = "targetgroup/trading/1", alternate_target_group_arn_suffix = "targetgroup/trading/2" }
    }
  }

  assert {
    condition     = { for name, runbook in output.alarms : name => runbook if startswith(name, "drydock-dev-consumer-") } == { drydock-dev-consumer-cpu = "high-5xx", drydock-dev-consumer-tasks = "ecs-tasks-flapping" }
    error_message = "where nobody is answered there is nothing to alarm of answers"
  }

  assert {
    condition     = sort(keys(local.alarms["consumer-tasks"].metrics)) == sort(["desired", "running"])
    error_message = "its tasks are counted by ECS"
  }

  assert {
    condition = { for section in local.workload_sections : section.title => [for widget in section.widgets : split(" ", widget.title)[0]] } == {
      consumer    = ["Saturation", "Tasks"]
      trading_api = ["Latency", "Errors", "Requests", "Saturation", "Tasks"]
    }
    error_message = "the dashboard shows of each what there is to see"
  }
}

run "the_cache_of_rpc_has_an_alarm_on_its_nodes" {
  variables {
    workloads = {
      rpc_cache = { service_name = "rpc_cache", target_group_arn_suffix = "targetgroup/rpc/1", alternate_target_group_arn_suffix = "targetgroup/rpc/2" }
    }
  }

  assert {
    condition     = output.alarms["drydock-dev-rpc_cache-node-latency"] == "rpc-overloaded"
    error_message = "rpc-overloaded waits for the alarm by this name"
  }

  assert {
    condition     = [for section in local.rpc_sections : section.title] == ["Solana RPC"] && local.rpc_sections[0].widgets[0].limits.alarm == local.alarms["rpc_cache-node-latency"].threshold
    error_message = "the dashboard shows the nodes' latency with the alarm's threshold"
  }
}

run "a_fleet_of_nodes_has_its_alarms" {
  variables {
    solana = {
      fleet_name               = "drydock-dev-solana"
      metric_namespace         = "Drydock/Solana"
      load_balancer_arn_suffix = "net/drydock-dev-solana/1"
      target_group_arn_suffix  = "targetgroup/drydock-dev-solana-rpc/1"
    }
  }

  assert {
    condition     = output.alarms["drydock-dev-solana-node-unhealthy"] == "solana-node-lagging" && output.alarms["drydock-dev-solana-node-out"] == "solana-node-lagging"
    error_message = "solana-node-lagging waits for the alarms by these names"
  }

  assert {
    condition     = local.alarms["solana-node-unhealthy"].metrics.healthy.stat == "Minimum" && local.alarms["solana-node-out"].metrics.out.dimensions.TargetGroup == "targetgroup/drydock-dev-solana-rpc/1"
    error_message = "the worst node counts, and what the load balancer sees of it"
  }

  assert {
    condition     = [for section in local.solana_sections : section.title] == ["Solana nodes"]
    error_message = "the dashboard shows the nodes"
  }
}

run "the_connections_threshold_follows_from_the_limit" {
  assert {
    condition     = local.alarms["database-connections"].threshold == 64
    error_message = "80 % of 81 connections are 64 whole ones"
  }
}

run "wrong_inputs_are_refused" {
  command = plan

  variables {
    load_balancer_arn_suffix = "drydock-dev"
    database                 = { identifier = "drydock-dev", max_connections = 0 }
  }

  expect_failures = [var.load_balancer_arn_suffix, var.database]
}

run "the_pipeline_of_events_has_its_alarms" {
  variables {
    workloads = {
      consumer = { service_name = "consumer", target_group_arn_suffix = "targetgroup/consumer/1", alternate_target_group_arn_suffix = "targetgroup/consumer/2" }
    }
    events = { stream_name = "drydock-dev-events", dead_letter_queue_name = "drydock-dev-events-retry-dead", behind_seconds = 30 }
  }

  assert {
    condition = { for name, runbook in output.alarms : name => runbook if contains(["consumer-lag", "dlq-redrive"], runbook) } == {
      drydock-dev-consumer-behind       = "consumer-lag"
      drydock-dev-consumer-errors       = "dlq-redrive"
      drydock-dev-consumer-dead-letters = "dlq-redrive"
    }
    error_message = "the runbooks wait for the alarms by these names"
  }

  assert {
    condition     = local.alarms["consumer-behind"].threshold == 30000 && local.alarms["consumer-behind"].treat_missing_data == "breaching"
    error_message = "an event may wait for so long, and a consumer that tells nothing is no healthy one"
  }

  assert {
    condition     = local.alarms["consumer-dead-letters"].metrics.letters.dimensions.QueueName == "drydock-dev-events-retry-dead" && local.alarms["consumer-dead-letters"].threshold == 1
    error_message = "the first letter counts"
  }

  assert {
    condition     = [for section in local.event_sections : section.title] == ["Events"] && local.event_sections[0].widgets[0].limits.alarm == 30000
    error_message = "the dashboard shows the lag with the alarm's threshold"
  }
}

run "without_a_stream_there_is_no_alarm_of_events" {
  variables {
    workloads = {
      consumer = { service_name = "consumer", target_group_arn_suffix = "targetgroup/consumer/1", alternate_target_group_arn_suffix = "targetgroup/consumer/2" }
    }
  }

  assert {
    condition     = length(local.event_alarms) == 0
    error_message = "an alarm on a queue that is not there would stay without data"
  }
}

run "a_consumer_that_is_always_behind_is_refused" {
  command = plan

  variables {
    events = { stream_name = "events", dead_letter_queue_name = "dead", behind_seconds = 0 }
  }

  expect_failures = [var.events]
}
