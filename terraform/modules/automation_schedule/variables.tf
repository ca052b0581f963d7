variable "name" {
  description = "Name of the group of schedules and of their role."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{1,50}$", var.name))
    error_message = "name is \"${var.name}\": use up to 50 letters, digits and _.- (a schedule's own name is added, and 64 is the most)."
  }
}

variable "account_id" {
  description = "Account of the schedules."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region of the document."
  type        = string
  nullable    = false
}

variable "document_name" {
  description = "Automation that is started."
  type        = string
  nullable    = false
}

variable "automation_role_arn" {
  description = "Role that the automation acts as."
  type        = string
  nullable    = false
}

variable "enabled" {
  description = "Whether the schedules run; if not, they are there and can be turned on."
  type        = bool
  nullable    = false
}

variable "timezone" {
  description = "Time zone of the expressions, with its daylight saving time."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^(UTC|[A-Z][A-Za-z_]+/[A-Z][A-Za-z_/-]+)$", var.timezone))
    error_message = "timezone is \"${var.timezone}\": give a name of the IANA database, such as Europe/Berlin or UTC."
  }
}

variable "schedules" {
  description = "When, and with which parameters, by name."
  type = map(object({
    description = string
    expression  = string
    parameters  = map(list(string))
  }))
  nullable = false

  validation {
    condition     = alltrue([for one in var.schedules : can(regex("^(cron\\([^ ]+( [^ ]+){5}\\)|rate\\([0-9]+ (minutes?|hours?|days?)\\))$", one.expression))])
    error_message = "an expression of ${join(", ", keys(var.schedules))} is none of EventBridge's: give cron(minute hour day month weekday year) or rate(2 hours)."
  }
}

variable "permissions_boundary_arn" {
  description = "Policy that is the most the role may do; null for none."
  type        = string
  default     = null
}
