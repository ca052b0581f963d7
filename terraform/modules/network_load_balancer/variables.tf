variable "name" {
  description = "Name of the load balancer and first part of its target groups' names."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9](-?[A-Za-z0-9])*$", var.name)) && !startswith(var.name, "internal-")
    error_message = "name is \"${var.name}\", which AWS refuses for a load balancer: use letters, digits and single hyphens, not starting with internal-."
  }
}

variable "vpc_id" {
  description = "VPC of the nodes."
  type        = string
  nullable    = false
}

variable "subnet_ids" {
  description = "Private subnets, one per zone."
  type        = list(string)
  nullable    = false
}

variable "ports" {
  description = "What is served: name → TCP port, the same at load balancer and node."
  type        = map(number)
  nullable    = false

  validation {
    condition     = length(var.ports) > 0 && alltrue([for port in values(var.ports) : port >= 1 && port <= 65535])
    error_message = "ports is ${jsonencode(var.ports)}, but a listener has a TCP port: give at least one name with a port of 1 to 65535."
  }

  validation {
    condition     = alltrue([for name in keys(var.ports) : length("${var.name}-${name}") <= 32])
    error_message = "ports has the names ${join(", ", keys(var.ports))}, but a target group's name, <name>-<port's name>, is 32 characters at most: shorten one of the two."
  }
}

variable "health_check" {
  description = "Where a node says over HTTP whether it may be asked; seconds between two questions and to wait for an answer. Two answers decide."
  type = object({
    port     = number
    path     = string
    interval = optional(number, 10)
    timeout  = optional(number, 5)
  })
  nullable = false

  validation {
    condition     = var.health_check.interval >= 5 && var.health_check.interval <= 300
    error_message = "health_check.interval is ${var.health_check.interval}, but ELB asks every 5 to 300 seconds: choose one of those."
  }

  validation {
    condition     = var.health_check.timeout < var.health_check.interval
    error_message = "health_check.timeout is ${var.health_check.timeout}, which is not shorter than the interval (${var.health_check.interval}): give fewer seconds."
  }

  validation {
    condition     = startswith(var.health_check.path, "/")
    error_message = "health_check.path is \"${var.health_check.path}\", which is no path: begin it with /."
  }
}

variable "clients" {
  description = "Who may connect: name → security group."
  type        = map(string)
  nullable    = false
}

variable "node_security_group_id" {
  description = "Security group of the nodes."
  type        = string
  nullable    = false
}

variable "drain_seconds" {
  description = "Seconds that a node which is taken out has to end what it serves."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.drain_seconds >= 0 && var.drain_seconds <= 3600
    error_message = "drain_seconds is ${var.drain_seconds}, but ELB waits 0 to 3600 seconds: choose one of those."
  }
}

variable "deletion_protection" {
  description = "Refuse to delete the load balancer."
  type        = bool
  default     = false
  nullable    = false
}
