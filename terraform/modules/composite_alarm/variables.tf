variable "name" {
  description = "Name of the alarm."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,255}$", var.name))
    error_message = "name is \"${var.name}\", which a composite alarm's rule or a shell could not name unquoted: use up to 255 letters, digits, hyphens and underscores."
  }
}

variable "summary" {
  description = "What is wrong when the alarm is red, as one sentence for whoever is woken."
  type        = string
  nullable    = false

  validation {
    condition     = endswith(var.summary, ".")
    error_message = "summary of ${var.name} is \"${var.summary}\", after which the runbook's name would read as a part of it: end it with a full stop."
  }
}

variable "runbook" {
  description = "Runbook that answers the alarm: the name of a file in runbooks/, without .yml."
  type        = string
  nullable    = false

  validation {
    condition     = fileexists("${path.module}/../../../runbooks/${var.runbook}.yml")
    error_message = "runbook of ${var.name} is \"${var.runbook}\", but there is no runbooks/${var.runbook}.yml: nobody is to be woken without knowing what to do. Name one that exists, or write it first."
  }
}

variable "topic_arn" {
  description = "Topic that is told when the alarm turns red and when it turns green again."
  type        = string
  nullable    = false
}

variable "alarms" {
  description = "Names of the alarms of which any one being red makes this one red."
  type        = set(string)
  nullable    = false

  validation {
    condition     = length(var.alarms) >= 2
    error_message = "alarms of ${var.name} are ${jsonencode(var.alarms)}, which need no alarm above them: name two at least."
  }
}

variable "tags" {
  description = "Tags that differ from the stack's default tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
