variable "name" {
  description = "Name of the recorder; rules and role begin with it."
  type        = string
  nullable    = false
}

variable "account_id" {
  description = "Account whose resources are recorded."
  type        = string
  nullable    = false
}

variable "bucket" {
  description = "Bucket for the history."
  type        = string
  nullable    = false
}

variable "bucket_arn" {
  description = "ARN of that bucket."
  type        = string
  nullable    = false
}

variable "kms_key_arn" {
  description = "Key of the history."
  type        = string
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "Policy that is the most the role may do; null for none."
  type        = string
  default     = null
}

variable "recording" {
  description = "How often a resource that changes is recorded: continuous or daily."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["continuous", "daily"], var.recording)
    error_message = "recording is \"${var.recording}\", which AWS Config does not know: give continuous or daily."
  }
}

variable "retention_days" {
  description = "Days for which Config itself keeps the history; it takes 30 to 2557, what is beyond is cut."
  type        = number
  nullable    = false
}

variable "rules" {
  description = "AWS's managed rules by their lower-case names (s3-bucket-ssl-requests-only), each with its parameters."
  type        = map(map(string))
  nullable    = false

  validation {
    condition     = alltrue([for name, _ in var.rules : can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", name))])
    error_message = "rules are ${jsonencode(keys(var.rules))}, of which some are not named as AWS's managed rules: give such as s3-bucket-ssl-requests-only."
  }
}
