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

variable "metrics" {
  description = "Metrics by the id that the expression uses; without an expression exactly one."
  type = map(object({
    namespace  = string
    name       = string
    dimensions = map(string)
    stat       = string
  }))
  nullable = false

  validation {
    condition     = alltrue([for id in keys(var.metrics) : can(regex("^[a-z][A-Za-z0-9_]*$", id)) && id != "result"])
    error_message = "metrics of ${var.name} have the ids ${jsonencode(keys(var.metrics))}, of which CloudWatch refuses some: start each with a lower-case letter, go on with letters, digits and underscores, and leave \"result\" to the expression."
  }
}

variable "expression" {
  description = "Metric math over the metrics' ids, such as 100 * FILL(errors, 0) / requests; null to watch the one metric as it is."
  type        = string
  default     = null

  validation {
    condition     = var.expression != null || length(var.metrics) == 1
    error_message = "expression of ${var.name} is null with ${length(var.metrics)} metrics, so it is not said what is compared with the threshold: give an expression over ${jsonencode(keys(var.metrics))}, or one metric."
  }
}

variable "comparison" {
  description = "How a value that is wrong compares with the threshold."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["GreaterThanThreshold", "GreaterThanOrEqualToThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold"], var.comparison)
    error_message = "comparison of ${var.name} is \"${var.comparison}\", which CloudWatch does not know: give Greater or Less, then Than or ThanOrEqualTo, then Threshold."
  }
}

variable "threshold" {
  description = "Value that the metric or the expression is compared with."
  type        = number
  nullable    = false
}

variable "period" {
  description = "Seconds that a datapoint stands for."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = contains([10, 30], var.period) || (var.period >= 60 && var.period % 60 == 0)
    error_message = "period of ${var.name} is ${var.period} s, which CloudWatch refuses: give 10, 30 or a multiple of 60."
  }
}

variable "evaluation_periods" {
  description = "Newest periods that are looked at (the N of M of N)."
  type        = number
  nullable    = false
}

variable "datapoints_to_alarm" {
  description = "How many of those must be wrong (the M)."
  type        = number
  nullable    = false

  validation {
    condition     = var.datapoints_to_alarm >= 1 && var.datapoints_to_alarm <= var.evaluation_periods
    error_message = "datapoints_to_alarm of ${var.name} is ${var.datapoints_to_alarm} of ${var.evaluation_periods} evaluation_periods, so it would never or always be red: give 1 to ${var.evaluation_periods}."
  }
}

variable "treat_missing_data" {
  description = "What a period without data counts as: breaching, notBreaching, ignore or missing."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["breaching", "notBreaching", "ignore", "missing"], var.treat_missing_data)
    error_message = "treat_missing_data of ${var.name} is \"${var.treat_missing_data}\", which CloudWatch does not know: give breaching, notBreaching, ignore or missing."
  }
}

variable "tags" {
  description = "Tags that differ from the stack's default tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
