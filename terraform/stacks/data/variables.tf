variable "vpc_id" {
  description = "VPC of the environment."
  type        = string
  nullable    = false

  validation {
    condition     = startswith(var.vpc_id, "vpc-")
    error_message = "vpc_id is \"${var.vpc_id}\", which is not the ID of a VPC: give the foundation stack's output vpc_id."
  }
}

variable "isolated_subnet_ids" {
  description = "Subnets of database and cache, in at least two zones."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.isolated_subnet_ids) >= 2
    error_message = "isolated_subnet_ids has ${length(var.isolated_subnet_ids)} entries, but RDS asks for two zones at least: give the foundation stack's output isolated_subnet_ids."
  }
}

variable "security_group_ids" {
  description = "Security groups by what they guard, as the foundation stack puts them out."
  type = object({
    database       = string
    database_proxy = string
    cache          = string
  })
  nullable = false
}

variable "kms_key_arn" {
  description = "Key for the environment's data at rest."
  type        = string
  nullable    = false
}

variable "database" {
  description = <<-EOT
    PostgreSQL of the environment. Defaults are the safe side: protected, with backups and a last snapshot.
    max_connections: what the server takes; an alarm turns red at 80 % of it. proxy: pool connections in front of it.
  EOT
  type = object({
    name                  = optional(string, "trading")
    master_username       = optional(string, "drydock")
    instance_class        = optional(string, "db.t4g.micro")
    engine_version        = optional(string, "17")
    allocated_storage     = optional(number, 20)
    max_allocated_storage = optional(number, 100)
    max_connections       = optional(number, 80)
    proxy                 = optional(bool, false)
    multi_az              = optional(bool, false)
    read_replicas         = optional(number, 0)
    backup_retention_days = optional(number, 7)
    deletion_protection   = optional(bool, true)
    skip_final_snapshot   = optional(bool, false)
    apply_immediately     = optional(bool, false)
  })
  default  = {}
  nullable = false
}

variable "cache" {
  description = <<-EOT
    Cache of the environment; replicas above 0 bring automatic failover. users: workloads sign in, with a
    user and password out of the secret `cache`, instead of being let in because they reach it.
  EOT
  type = object({
    engine                  = optional(string, "valkey")
    engine_version          = optional(string, "8.1")
    node_type               = optional(string, "cache.t4g.micro")
    replicas                = optional(number, 0)
    snapshot_retention_days = optional(number, 0)
    apply_immediately       = optional(bool, false)
    users                   = optional(bool, false)
  })
  default  = {}
  nullable = false
}

variable "standby_region" {
  description = "Second region, which takes copies; null for none."
  type        = string
  default     = null
}

variable "database_backup_copy_days" {
  description = "Days for which the database's backups are kept in the standby region too; 0: no copies."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.database_backup_copy_days == 0 || var.database.backup_retention_days > 0
    error_message = "database_backup_copy_days is ${var.database_backup_copy_days} and database.backup_retention_days 0, so that there is nothing to copy: keep backups for a day at least, or give 0."
  }
}

variable "secrets" {
  description = "Secrets of the workloads by name, each with a description; their rotation makes the values."
  type        = map(object({ description = string }))
  default     = {}
  nullable    = false
}

variable "secret_rotation_days" {
  description = "Days from one rotation of these secrets to the next; the first is made at once."
  type        = number
  default     = 30
  nullable    = false
}

variable "secret_recovery_days" {
  description = "Days for which a deleted secret can be brought back; 0 deletes at once."
  type        = number
  default     = 30
  nullable    = false
}

variable "log_retention_days" {
  description = "Days for which logs are kept."
  type        = number
  default     = 30
  nullable    = false
}
