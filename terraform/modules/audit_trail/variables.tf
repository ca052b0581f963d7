variable "name" {
  description = "Name of the trail, and the beginning of the bucket's."
  type        = string
  nullable    = false
}

variable "account_id" {
  description = "Account whose calls are kept."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Home region of the trail, which covers all."
  type        = string
  nullable    = false
}

variable "kms_key_arn" {
  description = "Key of the files; its policy must let CloudTrail encrypt for this trail."
  type        = string
  nullable    = false
}

variable "retention_days" {
  description = "Days for which the files are kept."
  type        = number
  nullable    = false

  validation {
    condition     = var.retention_days >= 90
    error_message = "retention_days is ${var.retention_days}, but an intrusion is often found months later: give at least 90."
  }
}

variable "force_destroy" {
  description = "Delete the bucket even while it holds files."
  type        = bool
  default     = false
  nullable    = false
}
