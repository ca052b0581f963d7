variable "name" {
  description = "Name of the vault."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{2,50}$", var.name))
    error_message = "name is \"${var.name}\", which AWS Backup refuses: use 2 to 50 letters, digits, hyphens and underscores."
  }
}

variable "kms_key_arn" {
  description = "Key, of the vault's own region, that encrypts what can be encrypted anew."
  type        = string
  nullable    = false
}

variable "lock_days" {
  description = "Days for which no recovery point may be deleted (and none shorter-lived is taken in); null for no lock."
  type        = number
  default     = null

  validation {
    condition     = var.lock_days == null || coalesce(var.lock_days, 0) >= 1
    error_message = "lock_days is ${coalesce(var.lock_days, 0)}, but a lock holds for a day at least: give 1 or more, or null for no lock."
  }
}

variable "force_destroy" {
  description = "Delete the vault even while it holds recovery points, and them with it."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.force_destroy || var.lock_days == null
    error_message = "force_destroy is true and lock_days ${coalesce(var.lock_days, 0)}: a locked vault would refuse it. Give up one of the two."
  }
}
