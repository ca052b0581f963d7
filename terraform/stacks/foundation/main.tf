locals {
  name = "drydock-${var.environment}"
}

module "key" {
  source = "../../modules/encryption_key"

  name                  = "${local.name}-data"
  description           = "Databases, caches, images, secrets, logs and alarms of ${var.environment}"
  account_id            = var.account_id
  region                = var.region
  allow_cloudwatch_logs = true
  alarm_topic           = "${local.name}-alarms" # the observability stack makes it
}

module "network" {
  source = "../../modules/network"

  name     = local.name
  vpc_cidr = var.vpc_cidr
  az_count = var.az_count
  nat_mode = var.nat_mode
}

module "security_groups" {
  source = "../../modules/security_groups"

  name   = local.name
  vpc_id = module.network.vpc_id
}
