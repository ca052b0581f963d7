variable "name" {
  description = "Name of the budget."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[^:\\\\/]{1,100}$", var.name))
    error_message = "name is \"${var.name}\", which AWS Budgets refuses: use up to 100 characters without colon, slash and backslash."
  }
}

variable "alert_amounts" {
  description = "US dollars a month at which an alert is sent, rising; the last one is the budget's limit."
  type        = list(number)
  nullable    = false

  validation {
    condition     = length(var.alert_amounts) >= 1 && length(var.alert_amounts) <= 4
    error_message = "alert_amounts has ${length(var.alert_amounts)} entries, but a budget takes five alerts, of which the forecast is one: give one to four amounts."
  }

  validation {
    condition     = alltrue([for i, amount in var.alert_amounts : amount > (i == 0 ? 0 : var.alert_amounts[i - 1])])
    error_message = "alert_amounts are ${jsonencode(var.alert_amounts)}, which do not rise from above 0, so an alert would come twice or at once: give rising amounts such as [25, 35, 50]."
  }
}

variable "topic_arn" {
  description = "SNS topic that alerts are sent to; its policy lets budgets.amazonaws.com publish."
  type        = string
  nullable    = false
}
