locals {
  name       = "drydock-${var.environment}"
  log_bucket = "${local.name}-access-logs-${var.account_id}"
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
  workload_ports             = [for workload in var.workloads : workload.port if length(workload.path_patterns) > 0]
  certificate_arn            = var.certificate_arn
  hostname                   = var.hostname
  allow_http                 = var.allow_http
  deletion_protection        = var.deletion_protection
  access_log_bucket          = module.access_logs.id
  trial_port                 = 9443
  trial_cidrs                = var.trial_cidrs
}

module "firewall" {
  source = "../../modules/web_firewall"
  count  = length(var.firewall[*])

  name               = local.name
  load_balancer_arn  = module.load_balancer.arn
  rate_limit         = var.firewall.rate_limit
  busy_paths         = var.firewall.busy_paths
  counted_rules      = var.firewall.counted_rules
  log_retention_days = var.log_retention_days
  kms_key_arn        = var.kms_key_arn
}

# Load balancers write their logs with no key but S3's own.
module "access_logs" {
  source = "../../modules/bucket"

  name            = local.log_bucket
  force_destroy   = var.force_destroy
  expire_days     = var.log_retention_days
  noncurrent_days = 1 # nothing is ever written twice

  policy_statements = jsonencode([{
    Sid       = "LoadBalancersOfThisAccountWrite"
    Effect    = "Allow"
    Principal = { Service = "logdelivery.elasticloadbalancing.amazonaws.com" }
    Action    = "s3:PutObject"
    Resource  = "arn:aws:s3:::${local.log_bucket}/AWSLogs/${var.account_id}/*"
    Condition = { ArnLike = { "aws:SourceArn" = "arn:aws:elasticloadbalancing:${var.region}:${var.account_id}:loadbalancer/*" } }
  }])
}

# Pictures, scripts and pages that a build puts here.
module "assets" {
  source = "../../modules/bucket"

  name          = "${local.name}-assets-${var.account_id}"
  kms_key_arn   = var.kms_key_arn
  force_destroy = var.force_destroy
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

  permissions_boundary_arn = var.permissions_boundary_arn

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
  database_secret     = each.value.database_secret
  permissions         = each.value.permissions

  path_patterns        = each.value.path_patterns
  priority             = each.value.priority
  port                 = each.value.port
  health_path          = each.value.health_path
  health_command       = each.value.health_command
  health_grace_seconds = each.value.health_grace_seconds
  cpu                  = each.value.cpu
  memory               = each.value.memory
  min_count            = each.value.min_count
  max_count            = each.value.max_count
  stop_timeout         = each.value.stop_timeout
  spot                 = each.value.spot
  log_retention_days   = var.log_retention_days

  trial_listener_arn = module.load_balancer.trial_listener_arn
  burst              = each.value.burst
  schedules          = each.value.schedules
}
