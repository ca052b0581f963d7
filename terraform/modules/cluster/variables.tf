variable "name" {
  description = "Name of the cluster."
  type        = string
  nullable    = false
}

variable "container_insights" {
  description = "Metrics of services: disabled, enabled or enhanced (the last two cost extra; the alarm on missing tasks needs one of them)."
  type        = string
  default     = "enabled"
  nullable    = false

  validation {
    condition     = contains(["disabled", "enabled", "enhanced"], var.container_insights)
    error_message = "container_insights is \"${var.container_insights}\", which ECS does not know: give disabled, enabled or enhanced."
  }
}

variable "log_retention_days" {
  description = "Days for which the events behind those metrics are kept."
  type        = number
  nullable    = false
}

variable "kms_key_arn" {
  description = "Key that encrypts them."
  type        = string
  nullable    = false
}
