locals {
  name = "drydock-${var.environment}"
}

module "notifications" {
  source = "../../modules/notifications"

  name          = "${local.name}-alarms"
  account_id    = var.account_id
  region        = var.region
  kms_key_arn   = var.kms_key_arn
  subscriptions = var.subscriptions
}

module "alarm" {
  source   = "../../modules/alarm"
  for_each = local.alarms

  name      = "${local.name}-${each.key}"
  summary   = each.value.summary
  runbook   = each.value.runbook
  topic_arn = module.notifications.topic_arn
  tags      = each.value.tags

  metrics             = each.value.metrics
  expression          = each.value.expression
  comparison          = each.value.comparison
  threshold           = each.value.threshold
  datapoints_to_alarm = each.value.datapoints_to_alarm
  evaluation_periods  = each.value.evaluation_periods
  treat_missing_data  = each.value.treat_missing_data
}

# One alarm per workload that says "clients notice", whatever the reason.
module "impaired" {
  source   = "../../modules/composite_alarm"
  for_each = local.served

  name      = "${local.name}-${each.key}-impaired"
  summary   = "${each.key} fails requests, or runs on fewer tasks than it should."
  runbook   = "high-5xx"
  topic_arn = module.notifications.topic_arn
  tags      = { Service = each.key }

  # By reference, since CloudWatch refuses a rule that names an alarm that is not there.
  alarms = [module.alarm["${each.key}-5xx"].name, module.alarm["${each.key}-tasks"].name]
}

module "dashboard" {
  source = "../../modules/dashboard"

  name       = local.name
  region     = var.region
  alarm_arns = concat(values(module.alarm)[*].arn, values(module.impaired)[*].arn)
  sections   = concat(local.workload_sections, local.rpc_sections, local.event_sections, local.solana_sections, [local.database_section, local.cache_section])
}
