variable "prefix" {
  description = "First part of all names, drydock-<environment>."
  type        = string
  nullable    = false
}

variable "name" {
  description = "What the nodes are; names the role and the secrets and parameters that they may read."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}$", var.name))
    error_message = "name is \"${var.name}\", which can't name a role, a path of secrets and a group at once: use 2 to 31 lower-case letters, digits and hyphens."
  }
}

variable "environment" {
  description = "Environment whose secrets may be read (their tag Environment)."
  type        = string
  nullable    = false
}

variable "account_id" {
  description = "Account of the nodes."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region of the nodes."
  type        = string
  nullable    = false
}

variable "kms_key_arn" {
  description = "Key that the secrets and parameters are encrypted with."
  type        = string
  nullable    = false
}

variable "metric_namespace" {
  description = "The one CloudWatch namespace that the nodes may write to."
  type        = string
  nullable    = false

  validation {
    condition     = !startswith(var.metric_namespace, "AWS/")
    error_message = "metric_namespace is \"${var.metric_namespace}\", but AWS/ is for AWS's own metrics: give a namespace of yours, such as Drydock/Solana."
  }
}

variable "log_group_name" {
  description = "Log group that the nodes write to."
  type        = string
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "Policy that is the most the role may do; null for none."
  type        = string
  default     = null
}
