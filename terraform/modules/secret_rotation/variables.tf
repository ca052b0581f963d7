variable "name" {
  description = "Name of the function and of its role."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region of the secrets."
  type        = string
  nullable    = false
}

variable "package" {
  description = "Path of the function's zip archive."
  type        = string
  nullable    = false
}

variable "secret_arns" {
  description = "ARNs of the secrets to rotate, by name."
  type        = map(string)
  nullable    = false
}

variable "cache_user_arns" {
  description = "Users of ElastiCache whose passwords these secrets hold."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "days" {
  description = "Days from one rotation to the next."
  type        = number
  nullable    = false

  validation {
    condition     = var.days >= 1 && var.days <= 1000 && floor(var.days) == var.days
    error_message = "days is ${var.days}, but Secrets Manager rotates every 1 to 1000 whole days: choose a number in that range."
  }
}

variable "kms_key_arn" {
  description = "Key of the secrets, of the function's settings and of its log."
  type        = string
  nullable    = false
}

variable "log_retention_days" {
  description = "Days for which the function's log is kept."
  type        = number
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "Policy that is the most the role may do; null for none."
  type        = string
  default     = null
}
