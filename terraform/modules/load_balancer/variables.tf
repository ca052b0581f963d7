variable "name" {
  description = "Name of the load balancer."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9](-?[A-Za-z0-9])*$", var.name)) && length(var.name) <= 32 && !startswith(var.name, "internal-")
    error_message = "name is \"${var.name}\", which AWS refuses for a load balancer: use up to 32 letters, digits and single hyphens, not starting with internal-."
  }
}

variable "subnet_ids" {
  description = "Public subnets, in at least two zones."
  type        = list(string)
  nullable    = false
}

variable "security_group_id" {
  description = "Security group of the load balancer."
  type        = string
  nullable    = false
}

variable "workload_security_group_id" {
  description = "Security group of the workloads that it sends to."
  type        = string
  nullable    = false
}

variable "workload_ports" {
  description = "Ports on which workloads listen; each is opened between the two groups and nothing else is."
  type        = set(number)
  nullable    = false
}

variable "certificate_arn" {
  description = "Certificate for HTTPS; null serves plain HTTP, where allow_http permits it."
  type        = string
  default     = null

  validation {
    condition     = var.certificate_arn == null || can(regex("^arn:aws[a-z-]*:(acm|iam):", var.certificate_arn))
    error_message = "certificate_arn is \"${coalesce(var.certificate_arn, "null")}\", which is no certificate of ACM or IAM: give its ARN, arn:aws:acm:<region>:<account>:certificate/<id>."
  }

  validation {
    condition     = var.certificate_arn != null || var.allow_http
    error_message = "certificate_arn is null and allow_http is false, so nothing could be served: give the ARN of an ACM certificate, or set allow_http where plain HTTP is acceptable."
  }
}

variable "hostname" {
  description = "Name that clients use, which the certificate must hold; null for the load balancer's own."
  type        = string
  default     = null
}

variable "allow_http" {
  description = "Accept plain HTTP while there is no certificate. With a certificate port 80 only ever redirects."
  type        = bool
  default     = false
  nullable    = false
}

variable "deletion_protection" {
  description = "Refuse to delete the load balancer."
  type        = bool
  default     = false
  nullable    = false
}

variable "access_log_bucket" {
  description = "Bucket for a line about every request; its policy lets the load balancer write."
  type        = string
  nullable    = false
}

variable "trial_port" {
  description = "Port of the listener on which a release is tried first; null for none."
  type        = number
  default     = null

  validation {
    condition     = var.trial_port == null || (!contains([80, 443], coalesce(var.trial_port, 0)) && coalesce(var.trial_port, 0) >= 1 && coalesce(var.trial_port, 0) <= 65535)
    error_message = "trial_port is ${coalesce(var.trial_port, 0)}, which clients use or which is no TCP port: give another from 1 to 65535, such as 9443."
  }
}

variable "trial_cidrs" {
  description = "Ranges from which the trial port may be reached, such as the NAT gateways' addresses."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for range in var.trial_cidrs : can(cidrhost(range, 0)) && try(tonumber(split("/", range)[1]) >= 16, false)])
    error_message = "trial_cidrs is ${jsonencode(var.trial_cidrs)}; what nobody has tried yet is not for the internet: give ranges of /16 or smaller, such as 203.0.113.7/32."
  }
}
