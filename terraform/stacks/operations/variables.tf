variable "project_folder" {
  description = "Folder on the operations machine where this project is set up."
  type        = string
  nullable    = false
}

variable "timezone" {
  description = "Time zone of everything that happens at fixed times."
  type        = string
  nullable    = false
}

variable "power_schedule" {
  description = "When the environment sleeps and wakes, if it does."
  type = object({
    enabled = bool
    sleep   = optional(string, "cron(0 18 ? * MON-FRI *)")
    wake    = optional(string, "cron(0 8 ? * MON-FRI *)")
  })
  nullable = false
}

variable "maintenance_window" {
  description = "When hosts are patched: operation is Scan (say what is missing) or Install."
  type = object({
    enabled   = bool
    schedule  = optional(string, "cron(0 3 ? * SUN *)")
    hours     = optional(number, 3)
    operation = optional(string, "Scan")
  })
  nullable = false
}
