# Shared by all stacks (each links to this file): which environment this is and who pays for it.

variable "environment" {
  description = "Environment that the stack belongs to: local, dev, staging or prod."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["local", "dev", "staging", "prod"], var.environment)
    error_message = "environment is \"${var.environment}\", for which there is no inventory: give local, dev, staging or prod."
  }
}

variable "account_id" {
  description = "AWS account of the environment; with credentials of another account nothing is done."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id is \"${var.account_id}\", which is not an AWS account: give its 12 digits, as a quoted string so that leading zeros survive."
  }
}

variable "region" {
  description = "AWS region of the environment."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region is \"${var.region}\", which is not an AWS region: give one such as us-east-1."
  }
}

variable "owner" {
  description = "Team that answers for the resources (tag Owner)."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9 _.:/=+@-]{1,256}$", var.owner))
    error_message = "owner is \"${var.owner}\", which cannot be a tag: give the team's name or address in letters, digits, spaces and _.:/=+-@."
  }
}

variable "cost_center" {
  description = "Account in the books that the cost goes to (tag CostCenter)."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9 _.:/=+@-]{1,256}$", var.cost_center))
    error_message = "cost_center is \"${var.cost_center}\", which cannot be a tag: give it in letters, digits, spaces and _.:/=+-@."
  }
}

variable "permissions_boundary_arn" {
  description = "Policy of the stack identity that is the most a role of the environment may do; null for none."
  type        = string
  default     = null
}
