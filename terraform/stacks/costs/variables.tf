variable "alert_amounts" {
  description = "US dollars a month at which an alert is sent, rising; the last one is the budget's limit."
  type        = list(number)
  nullable    = false
}

variable "anomaly_threshold" {
  description = "US dollars above the usual from which an anomaly is told."
  type        = number
  nullable    = false
}

variable "anomaly_monitor_arn" {
  description = "Monitor of the account's services that is there already, as Cost Explorer makes one; null to make it."
  type        = string
  default     = null
}

variable "allocation_tags" {
  description = "Tags to show in bills; only in the account that pays, from a day after the first resource had them."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(setsubtract(var.allocation_tags, ["Environment", "Service", "Owner", "CostCenter", "ManagedBy", "Stack"])) == 0
    error_message = "allocation_tags are ${jsonencode(var.allocation_tags)}, of which some stand on no resource of this project: give Environment, Service, Owner, CostCenter, ManagedBy or Stack."
  }
}

variable "subscriptions" {
  description = "Who is told, by a name of your choice: protocol email or https, and endpoint."
  type        = map(object({ protocol = string, endpoint = string }))
  default     = {}
  nullable    = false
}
