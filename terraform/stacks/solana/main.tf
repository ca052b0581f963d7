locals {
  prefix = "drydock-${var.environment}"
  name   = "${local.prefix}-solana"

  namespace     = "Drydock/Solana"
  cluster_ports = { from = 8000, to = 8030 } # gossip and dynamic range of agave-validator
  ports         = { rpc = 8899, websocket = 8900 }

  # Not the node's own /health: that is HTTP 200 whatever is wrong. solana_health answers here.
  health_check = { port = 8898, path = "/health", interval = 5, timeout = 4 }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/drydock/${var.environment}/solana"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

module "role" {
  source = "../../modules/node_role"

  permissions_boundary_arn = var.permissions_boundary_arn

  prefix           = local.prefix
  name             = "solana"
  environment      = var.environment
  account_id       = var.account_id
  region           = var.region
  kms_key_arn      = var.kms_key_arn
  metric_namespace = local.namespace
  log_group_name   = aws_cloudwatch_log_group.this.name
}

module "load_balancer" {
  source = "../../modules/network_load_balancer"

  name                   = local.name
  vpc_id                 = var.vpc_id
  subnet_ids             = var.private_subnet_ids
  ports                  = local.ports
  health_check           = local.health_check
  clients                = { workload = var.security_group_ids.workload }
  node_security_group_id = module.fleet.security_group_id
  drain_seconds          = var.fleet.drain_seconds
  deletion_protection    = var.deletion_protection
}

module "fleet" {
  source = "../../modules/node_fleet"

  name                 = local.name
  role_tag             = "solana_rpc"
  vpc_id               = var.vpc_id
  subnet_ids           = var.private_subnet_ids
  instance_profile_arn = module.role.instance_profile_arn
  kms_key_arn          = var.kms_key_arn
  target_group_arns    = values(module.load_balancer.target_group_arns)
  user_data            = templatefile("${path.module}/first_start.sh", { region = var.region })
  cluster_ports        = local.cluster_ports
  force_delete         = var.force_delete

  image                = { owner = var.fleet.image_owner, name = var.fleet.image_name }
  key_name             = var.fleet.key_name
  instance_types       = var.fleet.instance_types
  root_gb              = var.fleet.root_gb
  volumes              = var.fleet.volumes
  min_size             = coalesce(var.fleet.min_size, var.fleet.desired_size)
  max_size             = var.fleet.max_size
  desired_size         = var.fleet.desired_size
  on_demand_base       = var.fleet.on_demand_base
  on_demand_percentage = var.fleet.on_demand_percentage
  warmup_seconds       = var.fleet.warmup_seconds
  drain_seconds        = var.fleet.drain_seconds
  peer_cidrs           = var.fleet.peer_cidrs

  load = {
    namespace = local.namespace
    metric    = "RpcRequestsPerSecond"
    target    = var.fleet.requests_per_second
    scale_in  = var.fleet.scale_in
    predict   = var.fleet.predict
  }
}

# A node's own word is not enough: each is held against the others' slots (solana_health).
resource "aws_vpc_security_group_ingress_rule" "reference" {
  security_group_id            = module.fleet.security_group_id
  description                  = "RPC among the fleet, for the check of health"
  referenced_security_group_id = module.fleet.security_group_id
  ip_protocol                  = "tcp"
  from_port                    = local.ports.rpc
  to_port                      = local.ports.rpc
}
