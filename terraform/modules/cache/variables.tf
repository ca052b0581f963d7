locals {
  # ElastiCache counts Redis OSS 7 as one line with two releases; Valkey starts where it forked off.
  engine_versions = {
    valkey = ["7.2", "8.0", "8.1"]
    redis  = ["7.0", "7.1"]
  }
}

variable "name" {
  description = "Identifier of the replication group and prefix of what belongs to it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z](-?[a-z0-9]){0,39}$", var.name))
    error_message = "name is \"${var.name}\", which ElastiCache refuses as an identifier: use up to 40 lower-case letters, digits and single hyphens, a letter first and no hyphen last."
  }
}

variable "subnet_ids" {
  description = "Isolated subnets, in at least two zones."
  type        = list(string)
  nullable    = false
}

variable "security_group_id" {
  description = "Security group of the cache."
  type        = string
  nullable    = false
}

variable "kms_key_arn" {
  description = "Key for data at rest."
  type        = string
  nullable    = false
}

variable "engine" {
  description = "valkey or redis."
  type        = string
  nullable    = false

  validation {
    condition     = contains(keys(local.engine_versions), var.engine)
    error_message = "engine is \"${var.engine}\", which has no replication group with TLS and failover here: give valkey or redis."
  }
}

variable "engine_version" {
  description = "Version of the engine as major.minor."
  type        = string
  nullable    = false

  validation {
    condition     = contains(try(local.engine_versions[var.engine], [var.engine_version]), var.engine_version)
    error_message = "engine_version is \"${var.engine_version}\", which ElastiCache does not offer for ${var.engine}: give one of ${join(", ", try(local.engine_versions[var.engine], []))}."
  }
}

variable "node_type" {
  description = "Size of a node, for example cache.t4g.micro."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^cache\\.[a-z0-9-]+\\.[a-z0-9]+$", var.node_type))
    error_message = "node_type is \"${var.node_type}\", which is not an ElastiCache node type: write it as cache.<family>.<size>, for example cache.t4g.micro."
  }
}

variable "replicas" {
  description = "Read replicas beside the primary, 0 to 5; with at least one, a lost primary is replaced automatically."
  type        = number
  nullable    = false

  validation {
    condition     = contains(range(0, 6), var.replicas)
    error_message = "replicas is ${var.replicas}, but a primary takes 0 to 5 replicas: choose a whole number in that range."
  }
}

variable "port" {
  description = "Port that the nodes listen on."
  type        = number
  default     = 6379
  nullable    = false
}

variable "snapshot_retention_days" {
  description = "Days for which daily snapshots are kept; 0 turns them off."
  type        = number
  nullable    = false

  validation {
    condition     = var.snapshot_retention_days >= 0 && var.snapshot_retention_days <= 35
    error_message = "snapshot_retention_days is ${var.snapshot_retention_days}, but ElastiCache keeps snapshots for 0 to 35 days: choose a number in that range."
  }
}

variable "apply_immediately" {
  description = "Change the nodes at once instead of in their maintenance window."
  type        = bool
  nullable    = false
}

variable "user_group_id" {
  description = "Group of the users who may sign in; null: whoever reaches the cache may use it."
  type        = string
  default     = null
}
