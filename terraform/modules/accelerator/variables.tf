variable "name" {
  description = "Name of the accelerator."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9.-]{0,63}$", var.name))
    error_message = "name is \"${var.name}\", which Global Accelerator refuses: use up to 64 letters, digits, dots and hyphens, a letter or digit first."
  }
}

variable "ports" {
  description = "TCP ports that are let through."
  type        = list(number)
  nullable    = false

  validation {
    condition     = length(var.ports) > 0 && alltrue([for port in var.ports : contains([80, 443], port)])
    error_message = "ports are ${jsonencode(var.ports)}, but the load balancers behind serve 80 and 443 alone: give one of them or both."
  }
}

variable "endpoints" {
  description = "Load balancers by region; a standby gets clients only when the others are unhealthy."
  type        = map(object({ load_balancer_arn = string, standby = bool }))
  nullable    = false

  validation {
    condition     = alltrue([for region, endpoint in var.endpoints : startswith(endpoint.load_balancer_arn, "arn:") && strcontains(endpoint.load_balancer_arn, ":${region}:")])
    error_message = "endpoints are ${jsonencode({ for region, endpoint in var.endpoints : region => endpoint.load_balancer_arn })}, of which some are not a load balancer of that region: give each region the ARN of its own."
  }

  validation {
    condition     = anytrue([for endpoint in var.endpoints : !endpoint.standby])
    error_message = "endpoints (${join(", ", keys(var.endpoints))}) hold nothing but standbys, so clients would reach none in quiet times: mark one as no standby."
  }
}
