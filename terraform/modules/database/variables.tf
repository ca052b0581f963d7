variable "name" {
  description = "Identifier of the instance and prefix of what belongs to it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z](-?[a-z0-9]){0,62}$", var.name))
    error_message = "name is \"${var.name}\", which RDS refuses as an identifier: use up to 63 lower-case letters, digits and single hyphens, a letter first and no hyphen last."
  }
}

variable "subnet_ids" {
  description = "Isolated subnets, in at least two zones."
  type        = list(string)
  nullable    = false
}

variable "security_group_id" {
  description = "Security group of the database."
  type        = string
  nullable    = false
}

variable "kms_key_arn" {
  description = "Key for the storage, the backups and the master secret."
  type        = string
  nullable    = false
}

variable "database_name" {
  description = "Database created with the instance."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z_][a-z0-9_]{0,62}$", var.database_name))
    error_message = "database_name is \"${var.database_name}\", which would need quoting in every statement: use up to 63 lower-case letters, digits and underscores, no digit first."
  }
}

variable "master_username" {
  description = "Master user, whose password RDS manages."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]{0,62}$", var.master_username)) && !contains(["admin", "postgres", "rdsadmin"], var.master_username)
    error_message = "master_username is \"${var.master_username}\", which RDS reserves or PostgreSQL would need quoted: use lower-case letters, digits and underscores, a letter first, and not admin, postgres or rdsadmin."
  }
}

variable "instance_class" {
  description = "Size of the instance, for example db.t4g.micro."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^db\\.[a-z0-9-]+\\.[a-z0-9]+$", var.instance_class))
    error_message = "instance_class is \"${var.instance_class}\", which is not an RDS class: write it as db.<family>.<size>, for example db.t4g.micro."
  }
}

variable "engine_version" {
  description = "PostgreSQL version: a major (17, RDS picks and upgrades the minor) or a minor (17.4)."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^1[3-9](\\.[0-9]+)?$", var.engine_version))
    error_message = "engine_version is \"${var.engine_version}\", which RDS for PostgreSQL does not offer: give a major from 13, such as 17, or a minor, such as 17.4."
  }
}

variable "port" {
  description = "Port that the database listens on."
  type        = number
  default     = 5432
  nullable    = false
}

variable "allocated_storage" {
  description = "Storage at creation, in GiB."
  type        = number
  nullable    = false

  validation {
    condition     = var.allocated_storage >= 20 && var.allocated_storage <= 65536
    error_message = "allocated_storage is ${var.allocated_storage} GiB, but gp3 volumes of RDS hold 20 to 65536 GiB: choose a size in that range."
  }
}

variable "max_allocated_storage" {
  description = "Limit up to which RDS grows the storage by itself, in GiB; 0 turns growing off."
  type        = number
  nullable    = false

  validation {
    condition     = var.max_allocated_storage == 0 || var.max_allocated_storage > var.allocated_storage
    error_message = "max_allocated_storage is ${var.max_allocated_storage} GiB and allocated_storage ${var.allocated_storage} GiB, so there is no room to grow into: give more than allocated_storage, or 0 to turn growing off."
  }
}

variable "max_connections" {
  description = "Connections that the server takes; each costs some 10 MB of memory while it works."
  type        = number
  nullable    = false

  validation {
    condition     = var.max_connections >= 25 && var.max_connections <= 5000 && floor(var.max_connections) == var.max_connections
    error_message = "max_connections is ${var.max_connections}, with which RDS's own sessions would leave workloads none, or memory would run out before connections do: give a whole number from 25 to 5000, about 100 for each GiB of the class's memory."
  }
}

variable "multi_az" {
  description = "Keep a synchronous standby in another zone."
  type        = bool
  nullable    = false
}

variable "read_replicas" {
  description = "Copies that only read."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = contains(range(0, 6), var.read_replicas)
    error_message = "read_replicas is ${var.read_replicas}, but a primary feeds 0 to 5 here: choose a whole number in that range."
  }

  validation {
    condition     = var.read_replicas == 0 || var.backup_retention_days > 0
    error_message = "read_replicas is ${var.read_replicas} and backup_retention_days 0, but RDS makes a replica out of a backup: keep backups for a day at least."
  }
}

variable "backup_retention_days" {
  description = "Days for which automated backups are kept; 0 turns them off."
  type        = number
  nullable    = false

  validation {
    condition     = var.backup_retention_days >= 0 && var.backup_retention_days <= 35
    error_message = "backup_retention_days is ${var.backup_retention_days}, but RDS keeps automated backups for 0 to 35 days: choose a number in that range."
  }
}

variable "deletion_protection" {
  description = "Refuse to delete the instance."
  type        = bool
  nullable    = false
}

variable "skip_final_snapshot" {
  description = "Delete the instance, and its automated backups, without a last snapshot."
  type        = bool
  nullable    = false
}

variable "apply_immediately" {
  description = "Change the instance at once instead of in its maintenance window."
  type        = bool
  nullable    = false
}
