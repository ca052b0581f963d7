variable "state_bucket" {
  description = "Name of the bucket for the states, unique in all of AWS."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9](-?[a-z0-9])*$", var.state_bucket)) && length(var.state_bucket) >= 3 && length(var.state_bucket) <= 63
    error_message = "state_bucket is \"${var.state_bucket}\", which S3 refuses as a name: use 3 to 63 lower-case letters, digits and single hyphens, for example drydock-${var.environment}-tfstate-${var.account_id}."
  }
}

variable "lock_table" {
  description = "Name of the DynamoDB table for the locks."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{3,255}$", var.lock_table))
    error_message = "lock_table is \"${var.lock_table}\", which DynamoDB refuses as a name: use 3 to 255 letters, digits, hyphens, underscores and dots, for example drydock-${var.environment}-tflock."
  }
}

variable "force_destroy" {
  description = "Delete the bucket even while it holds states."
  type        = bool
  default     = false
  nullable    = false
}

variable "deletion_protection" {
  description = "Refuse to delete the lock table."
  type        = bool
  default     = true
  nullable    = false
}
