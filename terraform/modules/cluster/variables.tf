variable "name" {
  description = "Name of the cluster."
  type        = string
  nullable    = false
}

variable "container_insights" {
  description = "Metrics per task: disabled, enabled or enhanced (the last two cost extra)."
  type        = string
  default     = "disabled"
  nullable    = false

  validation {
    condition     = contains(["disabled", "enabled", "enhanced"], var.container_insights)
    error_message = "container_insights is \"${var.container_insights}\", which ECS does not know: give disabled, enabled or enhanced."
  }
}
