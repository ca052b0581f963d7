# The pipeline of events: what its consumer (apps/consumer) measures itself, and its dead letters.
locals {
  consumer           = toset([for name in keys(var.workloads) : name if name == "consumer" && var.events != null])
  consumer_namespace = "Drydock/Consumer"

  event_alarms = merge([for name in local.consumer : {
    "${name}-behind" = {
      summary = "Events wait longer than ${var.events.behind_seconds} s to be applied, or nobody reads them."
      runbook = "consumer-lag"
      tags    = { Service = name }
      metrics = {
        desired = { namespace = "ECS/ContainerInsights", name = "DesiredTaskCount", stat = "Maximum", dimensions = local.tasks[name] }
        behind  = { namespace = local.consumer_namespace, name = "MillisBehindLatest", stat = "Maximum", dimensions = { Service = name } }
      }
      # Who holds no shard tells no lag. Nobody at all, although tasks are desired, is a day behind.
      expression          = "IF(desired > 0, FILL(behind, 86400000), 0)"
      comparison          = "GreaterThanThreshold"
      threshold           = var.events.behind_seconds * 1000
      datapoints_to_alarm = 3
      evaluation_periods  = 3
      treat_missing_data  = "breaching"
    }

    "${name}-errors" = {
      summary = "More than 5 % of the events are refused and end as dead letters."
      runbook = "dlq-redrive"
      tags    = { Service = name }
      metrics = {
        applied    = { namespace = local.consumer_namespace, name = "Applied", stat = "Sum", dimensions = { Service = name } }
        duplicates = { namespace = local.consumer_namespace, name = "Duplicates", stat = "Sum", dimensions = { Service = name } }
        rejected   = { namespace = local.consumer_namespace, name = "Rejected", stat = "Sum", dimensions = { Service = name } }
      }
      expression          = "100 * rejected / (applied + duplicates + rejected)"
      comparison          = "GreaterThanThreshold"
      threshold           = 5
      datapoints_to_alarm = 2
      evaluation_periods  = 3
      treat_missing_data  = "notBreaching" # no event, no error
    }

    "${name}-dead-letters" = {
      summary = "Events that could not be applied wait among the dead letters."
      runbook = "dlq-redrive"
      tags    = { Service = name }
      metrics = {
        letters = { namespace = "AWS/SQS", name = "ApproximateNumberOfMessagesVisible", stat = "Maximum", dimensions = { QueueName = var.events.dead_letter_queue_name } }
      }
      expression          = null
      comparison          = "GreaterThanOrEqualToThreshold"
      threshold           = 1 # each is an event that has had no effect
      datapoints_to_alarm = 2
      evaluation_periods  = 2
      treat_missing_data  = "notBreaching" # SQS falls silent of a queue that nobody uses
    }
  }]...)

  event_sections = [for name in local.consumer : {
    title = "Events"
    widgets = [
      {
        title   = "Events behind"
        unit    = "milliseconds"
        metrics = [{ id = "behind", label = "worst shard", stat = "Maximum", namespace = local.consumer_namespace, name = "MillisBehindLatest", dimensions = { Service = name } }]
        limits  = { alarm = local.alarms["${name}-behind"].threshold }
      },
      {
        title = "Events dealt with"
        unit  = "per minute"
        metrics = concat(
          [{ id = "incoming", label = "published", stat = "Sum", namespace = "AWS/Kinesis", name = "IncomingRecords", dimensions = { StreamName = var.events.stream_name } }],
          [for id, metric in { applied = "Applied", duplicates = "Duplicates", rejected = "Rejected", retries = "Retries" } : {
            id                         = id, label = id, stat = "Sum", namespace = local.consumer_namespace, name = metric, dimensions = { Service = name }
          }],
        )
      },
      {
        title   = "Dead letters"
        unit    = "letters"
        metrics = [{ id = "letters", label = "letters", stat = "Maximum", namespace = "AWS/SQS", name = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = var.events.dead_letter_queue_name } }]
        limits  = { alarm = local.alarms["${name}-dead-letters"].threshold }
      },
    ]
  }]
}
