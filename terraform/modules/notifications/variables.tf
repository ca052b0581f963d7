variable "name" {
  description = "Name of the topic."
  type        = string
  nullable    = false
}

variable "account_id" {
  description = "Account whose alarms, or other publishers, may publish."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region of the topic and of those alarms."
  type        = string
  nullable    = false
}

variable "kms_key_arn" {
  description = "Key for messages at rest; its policy must let the publishers use it for this topic."
  type        = string
  nullable    = false
}

variable "publishers" {
  description = "Services of AWS that may publish, by the id of their statement, and for which of their resources; null for CloudWatch's alarms alone."
  type        = map(object({ service = string, source_arn = string }))
  default     = null
}

variable "subscriptions" {
  description = "Who is told, by a name of your choice; each confirms by a link that SNS sends."
  type        = map(object({ protocol = string, endpoint = string }))
  default     = {}
  nullable    = false

  validation {
    condition = alltrue([
      for subscription in var.subscriptions :
      subscription.protocol == "email" ? can(regex("^[^@\\s]+@[^@\\s]+$", subscription.endpoint)) : subscription.protocol == "https" && startswith(subscription.endpoint, "https://")
    ])
    error_message = "subscriptions are ${jsonencode(var.subscriptions)}, of which some are neither email with an address nor https with a URL that starts with https://: mend or remove those."
  }
}
