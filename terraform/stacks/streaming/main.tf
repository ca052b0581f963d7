locals {
  name = "drydock-${var.environment}-events"
}

module "stream" {
  source = "../../modules/event_stream"

  name            = local.name
  shards          = var.shards
  retention_hours = var.retention_hours
  kms_key_arn     = var.kms_key_arn
  force_destroy   = var.force_destroy
}

module "leases" {
  source = "../../modules/lease_table"

  name                = "${local.name}-leases"
  kms_key_arn         = var.kms_key_arn
  deletion_protection = var.deletion_protection
}

module "lake" {
  source = "../../modules/data_lake"

  permissions_boundary_arn = var.permissions_boundary_arn

  name                   = "${local.name}-lake"
  account_id             = var.account_id
  region                 = var.region
  bucket                 = "${local.name}-lake-${var.account_id}"
  stream_arn             = module.stream.arn
  kms_key_arn            = var.kms_key_arn
  buffer_seconds         = var.lake.buffer_seconds
  infrequent_access_days = var.lake.infrequent_access_days
  expire_days            = var.lake.expire_days
  log_retention_days     = var.log_retention_days
  force_destroy          = var.force_destroy
}

# Events that a consumer could not work on at once wait here, and at last among the dead letters.
module "retries" {
  source = "../../modules/queue"

  name               = "${local.name}-retry"
  visibility_timeout = 60
  max_receives       = 5
  kms_key_arn        = var.kms_key_arn
}

module "watcher" {
  source = "../../modules/stream_watcher"

  permissions_boundary_arn = var.permissions_boundary_arn

  name                = "${local.name}-watcher"
  package             = "${path.module}/../../../functions/watch_events.zip"
  stream_name         = module.stream.name
  stream_arn          = module.stream.arn
  failures_bucket_arn = module.lake.bucket_arn
  concurrency         = coalesce(var.shards, 10)
  kms_key_arn         = var.kms_key_arn
  log_retention_days  = var.log_retention_days
}
