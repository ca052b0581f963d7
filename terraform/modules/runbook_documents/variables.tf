variable "name" {
  description = "What the documents' names begin with; the runbook's follows."
  type        = string
  nullable    = false
}

variable "environment" {
  description = "Environment whose inventory the runbooks are run with."
  type        = string
  nullable    = false
}

variable "project_folder" {
  description = "Folder on the operations machine where this project is set up."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^/[A-Za-z0-9_./-]+$", var.project_folder))
    error_message = "project_folder is \"${var.project_folder}\": give the absolute path where the project is set up on the operations machine, such as /opt/drydock."
  }
}

variable "timeout_seconds" {
  description = "Seconds after which Systems Manager ends a runbook; longer than the longest one waits."
  type        = number
  default     = 3600
  nullable    = false

  validation {
    condition     = var.timeout_seconds >= 900 && var.timeout_seconds <= 172800
    error_message = "timeout_seconds is ${var.timeout_seconds}: give 900 (a runbook waits so long for green) to 172800."
  }
}
