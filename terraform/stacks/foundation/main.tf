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
  asleep   = var.asleep
}

module "security_groups" {
  source = "../../modules/security_groups"

  name   = local.name
  vpc_id = module.network.vpc_id
}

module "endpoints" {
  source = "../../modules/endpoints"

  name               = local.name
  account_id         = var.account_id
  region             = var.region
  vpc_id             = module.network.vpc_id
  vpc_cidr           = module.network.vpc_cidr
  route_table_ids    = module.network.private_route_table_ids
  subnet_ids         = module.network.private_subnet_ids
  interface_services = var.interface_endpoints
}

module "flow_logs" {
  source = "../../modules/flow_logs"

  permissions_boundary_arn = var.permissions_boundary_arn

  name           = local.name
  account_id     = var.account_id
  region         = var.region
  vpc_id         = module.network.vpc_id
  destination    = var.flow_logs.destination
  traffic_type   = var.flow_logs.traffic_type
  retention_days = var.flow_logs.retention_days
  kms_key_arn    = module.key.arn
  force_destroy  = var.force_destroy
}
