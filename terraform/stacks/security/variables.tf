variable "watched_roles" {
  description = "ARNs of the roles whose every use is told."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.watched_roles) > 0 && alltrue([for arn in var.watched_roles : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/", arn))])
    error_message = "watched_roles are ${jsonencode(var.watched_roles)}, of which some are no roles, or there are none: give the output break_glass_role_arn of the identity stack."
  }
}

variable "subscriptions" {
  description = "Who is told, by a name of your choice: {protocol: email or https, endpoint}."
  type        = map(object({ protocol = string, endpoint = string }))
  default     = {}
  nullable    = false
}

variable "audit_retention_days" {
  description = "Days for which the trail and the configuration's history are kept."
  type        = number
  nullable    = false
}

variable "configuration" {
  description = "AWS Config: recording continuous, daily or off; more_rules are AWS's managed rules by name, with their parameters."
  type        = object({ recording = string, more_rules = optional(map(map(string)), {}) })
  nullable    = false

  validation {
    condition     = contains(["continuous", "daily", "off"], var.configuration.recording)
    error_message = "configuration.recording is \"${var.configuration.recording}\": give continuous, daily or off."
  }
}

variable "detection" {
  description = "What GuardDuty reads besides trail, DNS and flows, and whether Security Hub gathers all findings."
  type        = object({ guardduty_features = set(string), security_hub = bool })
  nullable    = false
}

variable "shielded_resources" {
  description = "ARNs that Shield Advanced protects, by a name of your choice. It must have been subscribed to: 3,000 USD a month, for a year."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.shielded_resources : can(regex("^arn:aws[a-z-]*:(elasticloadbalancing|cloudfront|route53|globalaccelerator|ec2):", arn))])
    error_message = "shielded_resources are ${jsonencode(var.shielded_resources)}, of which some cannot be protected: give load balancers, distributions, zones, accelerators or addresses."
  }
}

variable "force_destroy" {
  description = "Delete the bucket of the trail even while it holds files."
  type        = bool
  default     = false
  nullable    = false
}
