variable "name" {
  description = "Name of the proxy and prefix of what belongs to it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z](-?[a-z0-9]){0,48}$", var.name))
    error_message = "name is \"${var.name}\", which does not fit in a proxy's name and its role's: use up to 49 lower-case letters, digits and single hyphens, a letter first and no hyphen last."
  }
}

variable "region" {
  description = "Region of the proxy and of the secret."
  type        = string
  nullable    = false
}

variable "subnet_ids" {
  description = "Isolated subnets, in at least two zones."
  type        = list(string)
  nullable    = false
}

variable "security_group_id" {
  description = "Security group of the proxy: open to workloads, let in by the database."
  type        = string
  nullable    = false
}

variable "database_identifier" {
  description = "RDS instance behind the proxy."
  type        = string
  nullable    = false
}

variable "secret_arn" {
  description = "Secret with username and password that clients and proxy sign in with."
  type        = string
  nullable    = false
}

variable "kms_key_arn" {
  description = "Key of that secret."
  type        = string
  nullable    = false
}

variable "max_connections_percent" {
  description = "Share of the database's connections that the proxy may hold; the rest stays for people, and for workloads that still connect directly."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.max_connections_percent >= 2 && var.max_connections_percent <= 90 && floor(var.max_connections_percent) == var.max_connections_percent
    error_message = "max_connections_percent is ${var.max_connections_percent}, which leaves nothing for the proxy or nobody a way past it: give a whole number from 2 to 90."
  }
}

variable "borrow_timeout" {
  description = "Seconds that a client waits for a connection of the pool before it is refused."
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = var.borrow_timeout >= 0 && var.borrow_timeout <= 300
    error_message = "borrow_timeout is ${var.borrow_timeout} s, but RDS lets clients wait 0 to 300 s: choose a time in that range."
  }
}

variable "permissions_boundary_arn" {
  description = "Policy that is the most the role may do; null for none."
  type        = string
  default     = null
}
