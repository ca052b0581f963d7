variable "name" {
  description = "What the names begin with, and the path of the parameters: drydock-<environment>."
  type        = string
  nullable    = false
}

variable "account_id" {
  description = "Account that the roles belong to."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region of the environment's parameters."
  type        = string
  nullable    = false
}

variable "regions" {
  description = "Regions in which roles may act: the environment's own and the one that it recovers in."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.regions) > 0 && alltrue([for region in var.regions : can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", region))])
    error_message = "regions are ${jsonencode(var.regions)}, of which some are no AWS region, or none: give such as [\"us-east-1\", \"us-west-2\"]."
  }
}

variable "services" {
  description = "IAM prefixes of the services that roles may use at all, for example ec2."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.services) > 0 && alltrue([for service in var.services : can(regex("^[a-z0-9-]+$", service))])
    error_message = "services are ${jsonencode(var.services)}, of which some are no prefix of IAM's actions (a * would lift the ceiling): give such as [\"ec2\", \"s3\"]."
  }
}

variable "regional_services" {
  description = "Those of the services that roles may use in those regions only; services without a region stay out."
  type        = list(string)
  nullable    = false
}

variable "break_glass_principals" {
  description = "ARNs of the people or roles who may take the break-glass role; none: whom IAM in the account allows."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.break_glass_principals : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(user|role)/.+", arn))])
    error_message = "break_glass_principals are ${jsonencode(var.break_glass_principals)}, of which some are no user or role: give ARNs such as arn:aws:iam::111111111111:role/on-call."
  }
}
