locals {
  name = "drydock-${var.environment}"
}

module "cluster" {
  source = "../../modules/cluster"

  name               = local.name
  log_retention_days = var.log_retention_days
  kms_key_arn        = var.kms_key_arn
}

module "load_balancer" {
  source = "../../modules/load_balancer"

  name                       = local.name
  subnet_ids                 = var.public_subnet_ids
  security_group_id          = var.security_group_ids.load_balancer
  workload_security_group_id = var.security_group_ids.workload
  workload_ports             = [for workload in var.workloads : workload.port]
  certificate_arn            = var.certificate_arn
  hostname                   = var.hostname
  allow_http                 = var.allow_http
  deletion_protection        = var.deletion_protection
}

module "registry" {
  source   = "../../modules/registry"
  for_each = var.workloads

  name         = "${local.name}/${each.key}"
  kms_key_arn  = var.kms_key_arn
  force_delete = var.force_destroy
  tags         = { Service = each.key }
}

module "service" {
  source   = "../../modules/service"
  for_each = var.workloads

  name        = each.key
  prefix      = local.name
  environment = var.environment
  account_id  = var.account_id
  region      = var.region
  tags        = { Service = each.key }

  vpc_id            = var.vpc_id
  subnet_ids        = var.private_subnet_ids
  security_group_id = var.security_group_ids.workload
  cluster_arn       = module.cluster.arn
  cluster_name      = module.cluster.name
  listener_arn      = module.load_balancer.listener_arn
  repository_url    = module.registry[each.key].url
  repository_arn    = module.registry[each.key].arn
  kms_key_arn       = var.kms_key_arn

  # The data stack is applied at the same time as this one, so its database is
  # known here by the name it has in every environment.
  database_identifier = each.value.database ? local.name : null

  path_patterns        = each.value.path_patterns
  priority             = each.value.priority
  port                 = each.value.port
  health_path          = each.value.health_path
  health_grace_seconds = each.value.health_grace_seconds
  cpu                  = each.value.cpu
  memory               = each.value.memory
  min_count            = each.value.min_count
  max_count            = each.value.max_count
  stop_timeout         = each.value.stop_timeout
  spot                 = each.value.spot
  log_retention_days   = var.log_retention_days
}
