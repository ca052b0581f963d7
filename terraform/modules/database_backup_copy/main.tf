# The database's automated backups, sent on to a second region as they are made: there the database
# can be brought back as it was some five minutes before the first region was lost. All of this
# module is in the second region.

module "key" {
  source = "../encryption_key"

  name        = "${var.name}-backup-copy"
  description = "Copies of the backups of ${var.name} from another region"
  account_id  = var.account_id
  region      = var.region
}

resource "aws_db_instance_automated_backups_replication" "this" {
  source_db_instance_arn = var.database_arn
  kms_key_id             = module.key.arn
  retention_period       = var.retention_days
}
