variable "state_bucket" {
  description = "Bucket of the environment's states."
  type        = string
  nullable    = false
}

variable "lock_table" {
  description = "Table of the locks."
  type        = string
  nullable    = false
}

variable "state_kms_key_arn" {
  description = "Key of the states."
  type        = string
  nullable    = false
}

variable "recovery_region" {
  description = "Region that the environment recovers in, where roles may act besides the environment's own."
  type        = string
  nullable    = false
}

variable "github" {
  description = "Repository (owner/name) whose runs may plan, apply and deploy, and the branch that changes are merged to."
  type        = object({ repository = string, branch = optional(string, "main") })
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9._/-]+$", var.github.branch))
    error_message = "github.branch is \"${var.github.branch}\", which is not one branch: give its name without wildcard, for example main."
  }
}

variable "break_glass_principals" {
  description = "ARNs of the people or roles who may take the break-glass role; none: whom IAM in the account allows."
  type        = list(string)
  default     = []
  nullable    = false
}
