output "vault_name" {
  description = "Vault of the recovery points."
  value       = module.vault.name
}

output "standby_vault_arn" {
  description = "Vault of their copies; none without a standby region."
  value       = one(module.standby_vault[*].arn)
}

output "standby_key_arn" {
  description = "Key of the copies; none without a standby region."
  value       = one(module.standby_key[*].arn)
}

output "records_bucket" {
  description = "Bucket of what must outlive its region."
  value       = module.records.id
}

output "records_replica_bucket" {
  description = "Its replica; none without a standby region."
  value       = one(module.records_replica[*].id)
}

output "record" {
  description = "Name that clients use; none without a zone."
  value       = one(module.failover[*].record)
}

output "zone_id" {
  description = "Hosted zone of that name."
  value       = one(module.failover[*].zone_id)
}

output "name_servers" {
  description = "Where the registrar must send questions about the zone."
  value       = one(module.failover[*].name_servers)
}

output "health_check_ids" {
  description = "Health checks by what they watch."
  value       = one(module.failover[*].health_check_ids)
}

output "accelerator_addresses" {
  description = "Fixed addresses of the accelerator."
  value       = one(module.accelerator[*].addresses)
}

# docs/dr.md says what follows from them, and what was measured.
output "objectives" {
  description = "What this stack is made for: minutes of data that can be lost (backups, records), seconds until clients reach the standby."
  value = {
    backups_rpo_minutes = module.backup_plan.rpo_minutes
    records_rpo_minutes = one(module.records_replication[*].rpo_minutes)
    failover_seconds    = one(module.failover[*].failover_seconds)
  }
}
