variable "name" {
  description = "Name of the key; its alias is alias/<name>."
  type        = string
  nullable    = false
}

variable "description" {
  description = "What the key protects, as shown in the KMS console."
  type        = string
  nullable    = false
}

variable "account_id" {
  description = "Account that owns the key and decides, through IAM, who may use it."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region of the key; names the CloudWatch Logs principal of that region."
  type        = string
  nullable    = false
}

variable "allow_cloudwatch_logs" {
  description = "Let CloudWatch Logs encrypt this account's log groups with the key."
  type        = bool
  default     = false
  nullable    = false
}

variable "alarm_topic" {
  description = "Name of the SNS topic for which CloudWatch's alarms may use the key; null for none."
  type        = string
  default     = null
}

variable "policy_statements" {
  description = "Further statements of the key's policy, as a JSON list: for services that use it as themselves."
  type        = string
  default     = "[]"
  nullable    = false

  validation {
    condition     = can([for statement in jsondecode(var.policy_statements) : statement.Effect]) && startswith(trimspace(var.policy_statements), "[")
    error_message = "policy_statements is ${substr(var.policy_statements, 0, 80)}, which is no JSON list of policy statements: give jsonencode([{Sid = …, Effect = …}])."
  }
}

variable "deletion_window_in_days" {
  description = "Days during which a deleted key can still be recovered, 7 to 30."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.deletion_window_in_days >= 7 && var.deletion_window_in_days <= 30
    error_message = "deletion_window_in_days is ${var.deletion_window_in_days}, but KMS accepts only 7 to 30: choose a number of days in that range."
  }
}
