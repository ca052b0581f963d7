# Learns what each service of AWS usually costs. An account may have one monitor of this kind,
# and Cost Explorer makes one when it is first opened: name that by monitor_arn.
resource "aws_ce_anomaly_monitor" "services" {
  count = var.monitor_arn == null ? 1 : 0

  name              = var.name
  monitor_type      = "DIMENSIONAL"
  monitor_dimension = "SERVICE"
}

resource "aws_ce_anomaly_subscription" "this" {
  name             = var.name
  frequency        = "IMMEDIATE" # the only one that SNS takes
  monitor_arn_list = [coalesce(var.monitor_arn, one(aws_ce_anomaly_monitor.services[*].arn))]

  subscriber {
    type    = "SNS"
    address = var.topic_arn
  }

  threshold_expression {
    dimension {
      key           = "ANOMALY_TOTAL_IMPACT_ABSOLUTE"
      match_options = ["GREATER_THAN_OR_EQUAL"]
      values        = [tostring(var.threshold)]
    }
  }
}
