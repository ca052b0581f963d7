variable "name" {
  description = "Identifier of the group of users, prefix of the users'."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z](-?[a-z0-9]){0,31}$", var.name))
    error_message = "name is \"${var.name}\", with which ElastiCache would refuse ${var.name}-default: use up to 32 lower-case letters, digits and single hyphens, a letter first and no hyphen last."
  }
}

variable "engine" {
  description = "Engine of the cache: valkey or redis."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["valkey", "redis"], var.engine)
    error_message = "engine is \"${var.engine}\", which has no users: give valkey or redis."
  }
}
