variable "prefix" {
  description = "What the secrets' names begin with, such as drydock-dev."
  type        = string
  nullable    = false
}

variable "secrets" {
  description = "Secrets by name, with what else stands in their JSON besides the password (nothing secret)."
  type = map(object({
    description = string
    fields      = optional(map(string), {})
  }))
  nullable = false

  validation {
    condition     = alltrue([for name in keys(var.secrets) : can(regex("^[a-z][a-z0-9-]{0,63}$", name))])
    error_message = "secrets has the names ${join(", ", keys(var.secrets))}, of which one does not fit in a path: use up to 64 lower-case letters, digits and hyphens, a letter first."
  }

  validation {
    condition     = alltrue([for secret in var.secrets : !contains(keys(secret.fields), "password")])
    error_message = "fields holds a password, which would then be known to whoever reads the plan: leave it out, the rotation makes one."
  }
}

variable "kms_key_arn" {
  description = "Key of the secrets."
  type        = string
  nullable    = false
}

variable "recovery_days" {
  description = "Days for which a deleted secret can be brought back, during which its name is taken; 0 deletes at once."
  type        = number
  nullable    = false

  validation {
    condition     = var.recovery_days == 0 || (var.recovery_days >= 7 && var.recovery_days <= 30)
    error_message = "recovery_days is ${var.recovery_days}, but Secrets Manager takes 0 or 7 to 30: choose one of these."
  }
}
