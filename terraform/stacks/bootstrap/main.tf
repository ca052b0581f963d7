# Where every stack of the environment, this one included, keeps its state.

module "key" {
  source = "../../modules/encryption_key"

  name        = "drydock-${var.environment}-state"
  description = "Terraform states and locks of ${var.environment}"
  account_id  = var.account_id
  region      = var.region
}

module "state_backend" {
  source = "../../modules/state_backend"

  bucket              = var.state_bucket
  lock_table          = var.lock_table
  kms_key_arn         = module.key.arn
  force_destroy       = var.force_destroy
  deletion_protection = var.deletion_protection
}
