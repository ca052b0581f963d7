variable "kms_key_arn" {
  description = "Key for the environment's data at rest, in its own region."
  type        = string
  nullable    = false
}

variable "vpc_id" {
  description = "VPC of the environment, in which a private zone answers."
  type        = string
  nullable    = false

  validation {
    condition     = startswith(var.vpc_id, "vpc-")
    error_message = "vpc_id is \"${var.vpc_id}\", which is not the ID of a VPC: give the foundation stack's output vpc_id."
  }
}

variable "load_balancer" {
  description = "Load balancer of the environment, as the platform stack puts it out."
  type        = object({ dns_name = string, arn = string })
  nullable    = false
}

variable "standby_region" {
  description = "Region that takes copies, and clients when the environment's own is lost; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.standby_region == null || can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.standby_region))
    error_message = "standby_region is \"${coalesce(var.standby_region, "null")}\", which is not an AWS region: give one such as us-west-2, or null."
  }

  validation {
    condition     = var.standby_region == null || var.standby_region != var.region
    error_message = "standby_region is ${coalesce(var.standby_region, "null")}, the environment's own, so one loss would take both: give another region, or null."
  }
}

variable "standby_load_balancer" {
  description = "Load balancer in the standby region; null as long as nothing is provisioned there."
  type        = object({ dns_name = string, arn = string })
  default     = null

  validation {
    condition     = var.standby_load_balancer == null || var.standby_region != null
    error_message = "standby_load_balancer is ${try(var.standby_load_balancer.dns_name, "null")}, but there is no standby_region: give the region that it is in."
  }
}

variable "backup" {
  description = <<-EOT
    Days for which recovery points of what is tagged Backup = daily are kept: daily_days, weekly_days (null: no weekly ones), copy_days (copies in the standby region).
    lock: for daily_days nobody may delete one, for copy_days no copy.
  EOT
  type = object({
    daily_days  = number
    weekly_days = optional(number)
    copy_days   = optional(number)
    lock        = optional(bool, false)
  })
  nullable = false

  validation {
    condition     = (var.backup.copy_days == null) == (var.standby_region == null)
    error_message = "backup.copy_days is ${jsonencode(var.backup.copy_days)} and standby_region ${jsonencode(var.standby_region)}: copies need both, give the other too or make both null."
  }
}

variable "record_version_days" {
  description = "Days for which replaced and deleted versions in the records' buckets are kept."
  type        = number
  nullable    = false
}

variable "dns" {
  description = <<-EOT
    Zone that leads clients to the healthy region; null for none.
    record: the name that they use (null: www.<zone>). private: it answers in the VPC alone. health_path: what is asked for to see whether the platform serves.
  EOT
  type = object({
    zone        = string
    record      = optional(string)
    private     = optional(bool, false)
    health_path = optional(string, "/health")
  })
  default = null
}

variable "https" {
  description = "Clients come by HTTPS: the load balancer has a certificate."
  type        = bool
  nullable    = false
}

variable "accelerator" {
  description = "Put Global Accelerator before the load balancers."
  type        = bool
  default     = false
  nullable    = false
}

variable "force_destroy" {
  description = "Delete buckets even while they hold objects, and vaults that are not locked while they hold recovery points."
  type        = bool
  default     = false
  nullable    = false
}
