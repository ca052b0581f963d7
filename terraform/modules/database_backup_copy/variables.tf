variable "name" {
  description = "Identifier of the database, prefix of the key's name."
  type        = string
  nullable    = false
}

variable "account_id" {
  description = "Account that owns the key."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region that the copies are in."
  type        = string
  nullable    = false

  validation {
    condition     = !strcontains(var.database_arn, ":${var.region}:")
    error_message = "region is ${var.region}, where the database is: what takes one would take both; give another region."
  }
}

variable "database_arn" {
  description = "ARN of the database, which keeps backups and is in another region."
  type        = string
  nullable    = false
}

variable "retention_days" {
  description = "Days for which the copies are kept."
  type        = number
  nullable    = false

  validation {
    condition     = var.retention_days >= 1 && var.retention_days <= 35
    error_message = "retention_days is ${var.retention_days}, but RDS keeps automated backups for 1 to 35 days: choose a number in that range."
  }
}
