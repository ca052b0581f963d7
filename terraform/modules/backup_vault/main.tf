# Where recovery points lie. One in the environment's region, one in the standby region.

resource "aws_backup_vault" "this" {
  name          = var.name
  kms_key_arn   = var.kms_key_arn
  force_destroy = var.force_destroy
}

# Governance mode: nobody deletes a recovery point before its time, and only whoever may change
# the lock may lift it. Compliance mode (changeable_for_days) is a door of one way: once it is
# shut, not even AWS opens it, so an account's owner decides on it and not a module's default.
resource "aws_backup_vault_lock_configuration" "this" {
  count = var.lock_days == null ? 0 : 1

  backup_vault_name  = aws_backup_vault.this.name
  min_retention_days = var.lock_days
}
