# What watches over the account. A person applies this stack and takes it away: the pipeline's roles
# may not stop the witnesses.

locals {
  name  = "drydock-${var.environment}"
  audit = "${local.name}-audit"
  topic = "${local.name}-security"
}

# Apart from the key of the data: whoever may read the one need not read the other.
module "key" {
  source = "../../modules/encryption_key"

  name        = local.audit
  description = "Trail, history of the configuration and security notices of ${var.environment}"
  account_id  = var.account_id
  region      = var.region

  # Both encrypt as themselves, not as the caller.
  policy_statements = jsonencode([
    {
      Sid       = "TrailOfThisAccount"
      Effect    = "Allow"
      Principal = { Service = "cloudtrail.amazonaws.com" }
      Action    = ["kms:GenerateDataKey*", "kms:DescribeKey"]
      Resource  = "*"
      Condition = { StringEquals = { "aws:SourceArn" = "arn:aws:cloudtrail:${var.region}:${var.account_id}:trail/${local.audit}" } }
    },
    {
      Sid       = "NoticesOfThisAccount"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = ["kms:Decrypt", "kms:GenerateDataKey*"]
      Resource  = "*"
      Condition = {
        StringEquals = {
          "aws:SourceAccount"                      = var.account_id
          "kms:EncryptionContext:aws:sns:topicArn" = "arn:aws:sns:${var.region}:${var.account_id}:${local.topic}"
        }
      }
    },
  ])
}

module "trail" {
  source = "../../modules/audit_trail"

  name           = local.audit
  account_id     = var.account_id
  region         = var.region
  kms_key_arn    = module.key.arn
  retention_days = var.audit_retention_days
  force_destroy  = var.force_destroy
}

module "configuration" {
  source = "../../modules/configuration_history"
  count  = var.configuration.recording == "off" ? 0 : 1

  name                     = local.name
  account_id               = var.account_id
  bucket                   = module.trail.bucket
  bucket_arn               = module.trail.bucket_arn
  kms_key_arn              = module.key.arn
  permissions_boundary_arn = var.permissions_boundary_arn
  recording                = var.configuration.recording
  retention_days           = var.audit_retention_days
  rules                    = merge(local.rules, var.configuration.more_rules)
}

module "detection" {
  source = "../../modules/threat_detection"

  name               = local.name
  region             = var.region
  guardduty_features = var.detection.guardduty_features
  security_hub       = var.detection.security_hub
}

module "topic" {
  source = "../../modules/notifications"

  name          = local.topic
  account_id    = var.account_id
  region        = var.region
  kms_key_arn   = module.key.arn
  subscriptions = var.subscriptions
  publishers = {
    RulesOfThisAccount = {
      service    = "events.amazonaws.com"
      source_arn = "arn:aws:events:${var.region}:${var.account_id}:rule/${local.name}-*"
    }
  }
}

module "notices" {
  source = "../../modules/event_notices"

  name      = local.name
  topic_arn = module.topic.topic_arn
  notices   = local.notices
}

resource "aws_shield_protection" "this" {
  for_each = var.shielded_resources

  name         = "${local.name}-${each.key}"
  resource_arn = each.value
}
