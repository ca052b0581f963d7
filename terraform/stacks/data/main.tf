locals {
  name = "drydock-${var.environment}"
}

module "database" {
  source = "../../modules/database"

  name              = local.name
  subnet_ids        = var.isolated_subnet_ids
  security_group_id = var.security_group_ids.database
  kms_key_arn       = var.kms_key_arn

  database_name         = var.database.name
  master_username       = var.database.master_username
  instance_class        = var.database.instance_class
  engine_version        = var.database.engine_version
  allocated_storage     = var.database.allocated_storage
  max_allocated_storage = var.database.max_allocated_storage
  max_connections       = var.database.max_connections
  multi_az              = var.database.multi_az
  backup_retention_days = var.database.backup_retention_days
  deletion_protection   = var.database.deletion_protection
  skip_final_snapshot   = var.database.skip_final_snapshot
  apply_immediately     = var.database.apply_immediately
}

module "database_proxy" {
  source = "../../modules/database_proxy"
  count  = var.database.proxy ? 1 : 0

  name                = local.name
  region              = var.region
  subnet_ids          = var.isolated_subnet_ids
  security_group_id   = var.security_group_ids.database_proxy
  database_identifier = module.database.identifier
  secret_arn          = module.database.master_secret_arn
  kms_key_arn         = var.kms_key_arn
}

module "cache" {
  source = "../../modules/cache"

  name              = local.name
  subnet_ids        = var.isolated_subnet_ids
  security_group_id = var.security_group_ids.cache
  kms_key_arn       = var.kms_key_arn

  engine                  = var.cache.engine
  engine_version          = var.cache.engine_version
  node_type               = var.cache.node_type
  replicas                = var.cache.replicas
  snapshot_retention_days = var.cache.snapshot_retention_days
  apply_immediately       = var.cache.apply_immediately
}
