variable "name" {
  description = "Name of the firewall, and prefix of its metrics and its log."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,80}$", var.name))
    error_message = "name is \"${var.name}\", which WAF refuses: use up to 80 letters, digits, hyphens and underscores."
  }
}

variable "load_balancer_arn" {
  description = "Load balancer that it stands before."
  type        = string
  nullable    = false
}

variable "rate_limit" {
  description = "Requests that one address may make in five minutes, busy paths aside, before it is answered 429."
  type        = number
  nullable    = false

  validation {
    condition     = var.rate_limit >= 10 && var.rate_limit <= 2000000000 && floor(var.rate_limit) == var.rate_limit
    error_message = "rate_limit is ${var.rate_limit}, but WAF counts whole numbers from 10 to 2000000000 in five minutes: give what a busy client may need, such as 2000."
  }
}

variable "busy_paths" {
  description = "Paths (with all below them) whose clients make many requests by nature, each with its own rate_limit; they do not count against the other."
  type        = map(object({ rate_limit = number }))
  default     = {}
  nullable    = false

  validation {
    # Parts of a pattern and of a rule's name; nine of them fit before the managed rules.
    condition     = length(var.busy_paths) <= 9 && alltrue([for path in keys(var.busy_paths) : can(regex("^(/[A-Za-z0-9_-]+)+$", path))])
    error_message = "busy_paths has ${jsonencode(keys(var.busy_paths))}: give up to 9 paths such as /rpc, of letters, digits, hyphens and underscores, without a slash at the end."
  }

  validation {
    condition     = alltrue([for busy in values(var.busy_paths) : busy.rate_limit >= 10 && busy.rate_limit <= 2000000000 && floor(busy.rate_limit) == busy.rate_limit])
    error_message = "busy_paths has the limits ${jsonencode({ for path, busy in var.busy_paths : path => busy.rate_limit })}, but WAF counts whole numbers from 10 to 2000000000 in five minutes."
  }
}

variable "counted_rules" {
  description = "Rules of AWSManagedRulesCommonRuleSet that only count, for requests which they take wrongly, such as SizeRestrictions_BODY."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for rule in var.counted_rules : can(regex("^[A-Za-z0-9]+(_[A-Za-z0-9]+)+$", rule))])
    error_message = "counted_rules is ${jsonencode(var.counted_rules)}, of which some are no rules of the common rule set: give names such as SizeRestrictions_BODY or CrossSiteScripting_BODY."
  }
}

variable "log_retention_days" {
  description = "Days for which the log of blocked and counted requests is kept."
  type        = number
  nullable    = false
}

variable "kms_key_arn" {
  description = "Key that encrypts it."
  type        = string
  nullable    = false
}
