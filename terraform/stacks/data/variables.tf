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
    backup_retention_days = optional(number, 7)
    deletion_protection   = optional(bool, true)
    skip_final_snapshot   = optional(bool, false)
    apply_immediately     = optional(bool, false)
  })
  default  = {}
  nullable = false
}

variable "cache" {
  description = "Cache of the environment; replicas above 0 bring automatic failover."
  type = object({
    engine                  = optional(string, "valkey")
    engine_version          = optional(string, "8.1")
    node_type               = optional(string, "cache.t4g.micro")
    replicas                = optional(number, 0)
    snapshot_retention_days = optional(number, 0)
    apply_immediately       = optional(bool, false)
  })
  default  = {}
  nullable = false
}
