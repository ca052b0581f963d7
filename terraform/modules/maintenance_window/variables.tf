variable "name" {
  description = "Name of the window."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{3,100}$", var.name))
    error_message = "name is \"${var.name}\", which Systems Manager refuses: use 3 to 100 letters, digits and _.-."
  }
}

variable "enabled" {
  description = "Whether the window opens."
  type        = bool
  nullable    = false
}

variable "schedule" {
  description = "When it opens."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^cron\\([^ ]+( [^ ]+){5}\\)$", var.schedule))
    error_message = "schedule is \"${var.schedule}\": give cron(minute hour day month weekday year), such as cron(0 3 ? * SUN *)."
  }
}

variable "timezone" {
  description = "Time zone of the schedule."
  type        = string
  nullable    = false
}

variable "hours" {
  description = "For how many hours it is open; in the last one nothing is begun."
  type        = number
  nullable    = false

  validation {
    condition     = var.hours >= 2 && var.hours <= 24
    error_message = "hours is ${var.hours}: give 2 to 24, as in the last hour nothing is begun."
  }
}

variable "operation" {
  description = "Scan only says which patches are missing; Install installs them."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["Scan", "Install"], var.operation)
    error_message = "operation is \"${var.operation}\": give Scan or Install."
  }
}

variable "tag_key" {
  description = "Tag by which hosts are chosen."
  type        = string
  nullable    = false
}

variable "tag_value" {
  description = "Value of that tag."
  type        = string
  nullable    = false
}
