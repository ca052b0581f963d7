variable "name" {
  description = "Name of the plan and of its role."
  type        = string
  nullable    = false
}

variable "environment" {
  description = "Only resources with this tag Environment are backed up."
  type        = string
  nullable    = false
}

variable "account_id" {
  description = "Account for which AWS Backup may take the role."
  type        = string
  nullable    = false
}

variable "vault_name" {
  description = "Vault that takes the recovery points."
  type        = string
  nullable    = false
}

variable "hour_utc" {
  description = "Hour of the day (UTC) at which the daily backup starts."
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = contains(range(24), var.hour_utc)
    error_message = "hour_utc is ${var.hour_utc}, which no clock shows: give a whole number from 0 to 23."
  }
}

variable "daily_days" {
  description = "Days for which a daily recovery point is kept."
  type        = number
  nullable    = false

  validation {
    condition     = var.daily_days >= 1
    error_message = "daily_days is ${var.daily_days}, so nothing would be kept: give at least 1."
  }
}

variable "weekly_days" {
  description = "Days for which a weekly recovery point is kept; null for none."
  type        = number
  default     = null

  validation {
    condition     = var.weekly_days == null || coalesce(var.weekly_days, 0) > var.daily_days
    error_message = "weekly_days is ${coalesce(var.weekly_days, 0)}, not longer than the daily ones' ${var.daily_days}, so it would only cost: give more, or null for none."
  }
}

variable "copy" {
  description = "Vault in another region that each daily recovery point is copied to, and days for which it stays there; null for none."
  type        = object({ vault_arn = string, days = number })
  default     = null

  validation {
    condition     = try(var.copy.days, 1) >= 1
    error_message = "copy.days is ${try(var.copy.days, 0)}, so no copy would be kept: give at least 1, or null for copy."
  }
}

variable "permissions_boundary_arn" {
  description = "Policy that is the most the role may do; null for none."
  type        = string
  default     = null
}
