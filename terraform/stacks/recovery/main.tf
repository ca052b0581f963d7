locals {
  name      = "drydock-${var.environment}"
  elsewhere = "${local.name}-standby"
  standby   = var.standby_region == null ? 0 : 1 # as a count

  # A load balancer's name is an alias's target only together with the zone that AWS keeps for it.
  primary_entry = var.accelerator ? {
    dns_name = module.accelerator[0].dns_name
    zone_id  = module.accelerator[0].zone_id
    } : {
    dns_name = var.load_balancer.dns_name
    zone_id  = data.aws_lb_hosted_zone_id.primary.id
  }

  standby_entry = var.standby_load_balancer == null ? null : {
    dns_name = var.standby_load_balancer.dns_name
    zone_id  = data.aws_lb_hosted_zone_id.standby.id
  }
}

# --- the standby region's own key: what a lost region's key alone could read is lost with it ---

module "standby_key" {
  source    = "../../modules/encryption_key"
  count     = local.standby
  providers = { aws = aws.standby }

  name        = local.elsewhere
  description = "Copies of ${var.environment} in its standby region"
  account_id  = var.account_id
  region      = var.standby_region
}

# --- recovery points of what is tagged, and their copies ------------------------------------

module "vault" {
  source = "../../modules/backup_vault"

  name          = local.name
  kms_key_arn   = var.kms_key_arn
  lock_days     = var.backup.lock ? var.backup.daily_days : null
  force_destroy = var.force_destroy && !var.backup.lock
}

module "standby_vault" {
  source    = "../../modules/backup_vault"
  count     = local.standby
  providers = { aws = aws.standby }

  name          = local.elsewhere
  kms_key_arn   = module.standby_key[0].arn
  lock_days     = var.backup.lock ? var.backup.copy_days : null
  force_destroy = var.force_destroy && !var.backup.lock
}

module "backup_plan" {
  source = "../../modules/backup_plan"

  permissions_boundary_arn = var.permissions_boundary_arn

  name        = "${local.name}-backup"
  environment = var.environment
  account_id  = var.account_id
  vault_name  = module.vault.name
  daily_days  = var.backup.daily_days
  weekly_days = var.backup.weekly_days
  copy        = one([for vault in module.standby_vault : { vault_arn = vault.arn, days = var.backup.copy_days }])
}

# --- what must outlive its region within minutes: evidence of runs, exports ------------------

module "records" {
  source = "../../modules/bucket"

  name            = "${local.name}-records-${var.account_id}"
  kms_key_arn     = var.kms_key_arn
  force_destroy   = var.force_destroy
  noncurrent_days = var.record_version_days
  tags            = { Backup = "daily" }
}

module "records_replica" {
  source    = "../../modules/bucket"
  count     = local.standby
  providers = { aws = aws.standby }

  name            = "${local.elsewhere}-records-${var.account_id}"
  kms_key_arn     = module.standby_key[0].arn
  force_destroy   = var.force_destroy
  noncurrent_days = var.record_version_days
}

module "records_replication" {
  source = "../../modules/bucket_replication"
  count  = local.standby

  permissions_boundary_arn = var.permissions_boundary_arn

  name                = "${local.name}-records"
  account_id          = var.account_id
  bucket              = module.records.versioned_id
  kms_key_arn         = var.kms_key_arn
  replica_arn         = "arn:aws:s3:::${module.records_replica[0].versioned_id}"
  replica_kms_key_arn = module.standby_key[0].arn
}

# --- the way in ---------------------------------------------------------------------------

data "aws_lb_hosted_zone_id" "primary" {
  region = var.region
}

data "aws_lb_hosted_zone_id" "standby" {
  region = coalesce(var.standby_region, var.region)
}

module "accelerator" {
  source = "../../modules/accelerator"
  count  = var.accelerator ? 1 : 0

  name  = local.name
  ports = var.https ? [80, 443] : [80]
  endpoints = merge(
    { (var.region) = { load_balancer_arn = var.load_balancer.arn, standby = false } },
    var.standby_load_balancer == null ? {} : {
      (var.standby_region) = { load_balancer_arn = var.standby_load_balancer.arn, standby = true }
    },
  )
}

module "failover" {
  source = "../../modules/failover"
  count  = var.dns == null ? 0 : 1

  zone           = var.dns.zone
  record         = coalesce(var.dns.record, "www.${var.dns.zone}")
  private_vpc_id = var.dns.private ? var.vpc_id : null
  primary        = local.primary_entry
  standby        = local.standby_entry
  https          = var.https
  health_path    = var.dns.health_path
}
