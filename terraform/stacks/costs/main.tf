# What the environment's account spends, watched: the price list and its report are in costs/.

locals {
  name = "drydock-${var.environment}-costs"

  publishers = {
    BudgetsOfThisAccount = {
      service    = "budgets.amazonaws.com"
      source_arn = "arn:aws:budgets::${var.account_id}:*"
    }
    AnomaliesOfThisAccount = {
      service    = "costalerts.amazonaws.com"
      source_arn = "arn:aws:ce::${var.account_id}:*"
    }
  }

  key_statement = {
    Sid       = "AlertsOfThisAccount"
    Effect    = "Allow"
    Principal = { Service = sort([for publisher in local.publishers : publisher.service]) }
    Action    = ["kms:Decrypt", "kms:GenerateDataKey*"]
    Resource  = "*"
    Condition = {
      StringEquals = {
        "aws:SourceAccount"                      = var.account_id
        "kms:EncryptionContext:aws:sns:topicArn" = "arn:aws:sns:${var.region}:${var.account_id}:${local.name}"
      }
    }
  }
}

# Budgets and Cost Anomaly Detection can't use the account's own SNS key, so it is one of ours.
module "key" {
  source = "../../modules/encryption_key"

  name        = local.name
  description = "Alerts on the costs of ${var.environment}"
  account_id  = var.account_id
  region      = var.region

  policy_statements = jsonencode([local.key_statement])
}

module "notifications" {
  source = "../../modules/notifications"

  name          = local.name
  account_id    = var.account_id
  region        = var.region
  kms_key_arn   = module.key.arn
  publishers    = local.publishers
  subscriptions = var.subscriptions
}

module "budget" {
  source = "../../modules/budget"

  name          = local.name
  alert_amounts = var.alert_amounts
  topic_arn     = module.notifications.topic_arn
}

module "anomalies" {
  source = "../../modules/cost_anomalies"

  name        = local.name
  monitor_arn = var.anomaly_monitor_arn
  threshold   = var.anomaly_threshold
  topic_arn   = module.notifications.topic_arn
}

# Shows a tag in bills. AWS knows a tag key a day after the first resource had it, and takes this
# from the account that pays alone.
resource "aws_ce_cost_allocation_tag" "this" {
  for_each = var.allocation_tags

  tag_key = each.key
  status  = "Active"
}
