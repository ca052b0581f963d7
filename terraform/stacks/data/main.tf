locals {
  name           = "drydock-${var.environment}"
  copies_backups = var.standby_region != null && var.database_backup_copy_days > 0

  # With this its rotation gives the cache's user a password, and makes the address that has both.
  cache_secret = { for user in module.cache_user : "cache" => {
    description = "Workloads' user of the cache, and the cache's address with user and password"
    fields = {
      cache_user = user.id
      username   = user.id
      host       = module.cache.address
      port       = tostring(module.cache.port)
    }
  } }
  secrets = merge({ for name, secret in var.secrets : name => merge(secret, { fields = {} }) }, local.cache_secret)
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
  read_replicas         = var.database.read_replicas
  backup_retention_days = var.database.backup_retention_days
  deletion_protection   = var.database.deletion_protection
  skip_final_snapshot   = var.database.skip_final_snapshot
  apply_immediately     = var.database.apply_immediately
}

module "database_backup_copy" {
  source    = "../../modules/database_backup_copy"
  count     = local.copies_backups ? 1 : 0
  providers = { aws = aws.standby }

  name           = local.name
  account_id     = var.account_id
  region         = var.standby_region
  database_arn   = module.database.arn
  retention_days = var.database_backup_copy_days
}

module "database_proxy" {
  source = "../../modules/database_proxy"
  count  = var.database.proxy ? 1 : 0

  permissions_boundary_arn = var.permissions_boundary_arn

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
  user_group_id           = one(module.cache_user[*].group_id)
}

module "cache_user" {
  source = "../../modules/cache_user"
  count  = var.cache.users ? 1 : 0

  name   = local.name
  engine = var.cache.engine
}

module "secrets" {
  source = "../../modules/secrets"

  prefix        = local.name
  kms_key_arn   = var.kms_key_arn
  recovery_days = var.secret_recovery_days

  secrets = local.secrets
}

module "secret_rotation" {
  source = "../../modules/secret_rotation"
  count  = length(local.secrets) > 0 ? 1 : 0

  permissions_boundary_arn = var.permissions_boundary_arn

  name               = "${local.name}-rotate-secret"
  region             = var.region
  package            = "${path.module}/../../../functions/rotate_secret.zip"
  secret_arns        = module.secrets.arns
  cache_user_arns    = module.cache_user[*].arn
  days               = var.secret_rotation_days
  kms_key_arn        = var.kms_key_arn
  log_retention_days = var.log_retention_days
}

# Addresses for whoever does not read this stack's outputs.
module "parameters" {
  source = "../../modules/parameters"

  path  = "/drydock/${var.environment}/data"
  stack = "data"
  parameters = {
    database-address = module.database.address
    database-name    = module.database.database_name
    cache-address    = module.cache.address
  }
}
