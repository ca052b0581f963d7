variable "name" {
  description = "Name of the analyzer."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region that is watched."
  type        = string
  nullable    = false
}

variable "guardduty_features" {
  description = "What GuardDuty reads besides the trail, DNS and flows, each at its own price."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition = length(setsubtract(var.guardduty_features, [
      "S3_DATA_EVENTS", "EBS_MALWARE_PROTECTION", "RDS_LOGIN_EVENTS", "LAMBDA_NETWORK_LOGS", "EKS_AUDIT_LOGS",
    ])) == 0
    error_message = "guardduty_features are ${jsonencode(var.guardduty_features)}, of which some are unknown: choose from S3_DATA_EVENTS, EBS_MALWARE_PROTECTION, RDS_LOGIN_EVENTS, LAMBDA_NETWORK_LOGS, EKS_AUDIT_LOGS."
  }
}

variable "security_hub" {
  description = "Gather all findings in Security Hub and hold the account against the standards."
  type        = bool
  nullable    = false
}

variable "standards" {
  description = "Standards of Security Hub, as in their ARNs after standards/."
  type        = set(string)
  default     = ["aws-foundational-security-best-practices/v/1.0.0"]
  nullable    = false
}
