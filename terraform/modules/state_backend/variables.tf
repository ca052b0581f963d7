variable "bucket" {
  description = "Name of the bucket that keeps every stack's state."
  type        = string
  nullable    = false
}

variable "lock_table" {
  description = "Name of the DynamoDB table that holds the state locks."
  type        = string
  nullable    = false
}

variable "kms_key_arn" {
  description = "Key that encrypts the bucket and the table."
  type        = string
  nullable    = false
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

variable "old_version_days" {
  description = "Days after which a replaced version of a state is removed."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.old_version_days >= 1
    error_message = "old_version_days is ${var.old_version_days}, which would leave no older state to go back to: give at least 1."
  }
}
