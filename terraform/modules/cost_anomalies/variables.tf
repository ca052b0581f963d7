variable "name" {
  description = "Name of monitor and subscription."
  type        = string
  nullable    = false
}

variable "monitor_arn" {
  description = "Monitor of the account's services that is there already, as Cost Explorer makes one; null to make it."
  type        = string
  default     = null

  validation {
    condition     = var.monitor_arn == null || can(regex("^arn:aws:ce::[0-9]{12}:anomalymonitor/", var.monitor_arn))
    error_message = "monitor_arn is ${jsonencode(var.monitor_arn)}, which is no monitor: give what `aws ce get-anomaly-monitors` lists, or null to make one."
  }
}

variable "threshold" {
  description = "US dollars above the usual from which an anomaly is told."
  type        = number
  nullable    = false

  validation {
    condition     = var.threshold > 0
    error_message = "threshold is ${var.threshold} US dollars, so that every cent would be an anomaly: give more than 0."
  }
}

variable "topic_arn" {
  description = "SNS topic that anomalies are told to; its policy lets costalerts.amazonaws.com publish."
  type        = string
  nullable    = false
}
