variable "zone" {
  description = "Domain of the hosted zone."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z][a-z0-9-]*[a-z0-9]$", var.zone))
    error_message = "zone is \"${var.zone}\", which is no domain: give one such as dev.example.com, in lower case and without a dot at its end."
  }
}

variable "record" {
  description = "Name in that domain that clients use, the certificate's own."
  type        = string
  nullable    = false

  validation {
    condition     = endswith(var.record, ".${var.zone}")
    error_message = "record is \"${var.record}\", which is not in the zone ${var.zone}: give a name that ends with .${var.zone}, or change the zone."
  }
}

variable "private_vpc_id" {
  description = "VPC in which alone the zone answers; null for a public zone."
  type        = string
  default     = null
}

variable "primary" {
  description = "Where clients go while all is well: name, and the hosted zone that AWS keeps for such names."
  type        = object({ dns_name = string, zone_id = string })
  nullable    = false
}

variable "standby" {
  description = "Where they go when it is not; null as long as nothing stands by."
  type        = object({ dns_name = string, zone_id = string })
  default     = null

  validation {
    condition     = try(var.standby.dns_name, "") != var.primary.dns_name
    error_message = "standby is ${try(var.standby.dns_name, "null")}, the primary itself, so both would fail at once: give the load balancer of the standby region, or null."
  }
}

variable "https" {
  description = "Ask for health by HTTPS."
  type        = bool
  default     = true
  nullable    = false
}

variable "health_path" {
  description = "Path that answers 2xx or 3xx while the platform serves."
  type        = string
  nullable    = false

  validation {
    condition     = startswith(var.health_path, "/")
    error_message = "health_path is \"${var.health_path}\", which is no path: begin it with /."
  }
}

variable "failures" {
  description = "Checks in a row that must fail, 10 s apart, before clients are sent to the standby."
  type        = number
  default     = 3
  nullable    = false

  validation {
    condition     = contains(range(1, 11), var.failures)
    error_message = "failures is ${var.failures}, but Route 53 counts 1 to 10: choose a whole number in that range."
  }
}
