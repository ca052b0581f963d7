variable "name" {
  description = "Prefix of every name in the network."
  type        = string
  nullable    = false
}

variable "vpc_cidr" {
  description = "IPv4 range of the VPC, a network address of /16 to /24; subnets are cut from it in sixteen equal slices."
  type        = string
  nullable    = false

  validation {
    condition     = can(cidrhost(var.vpc_cidr, 0)) && can(regex("^[0-9.]+/[0-9]+$", var.vpc_cidr))
    error_message = "vpc_cidr is \"${var.vpc_cidr}\", which is not an IPv4 range: write it as address/prefix, for example 10.20.0.0/16."
  }

  validation {
    condition     = try(tonumber(split("/", var.vpc_cidr)[1]) >= 16 && tonumber(split("/", var.vpc_cidr)[1]) <= 24, true)
    error_message = "vpc_cidr is \"${var.vpc_cidr}\": AWS allows a VPC no larger than /16, and below /24 its sixteen slices would be smaller than AWS's smallest subnet, /28. Choose a prefix from /16 to /24."
  }

  validation {
    condition     = try(cidrhost(var.vpc_cidr, 0) == split("/", var.vpc_cidr)[0], true)
    error_message = "vpc_cidr is \"${var.vpc_cidr}\", whose address has bits set behind the prefix, so AWS would store another one: write ${try(cidrhost(var.vpc_cidr, 0), "<network address>")}/${try(split("/", var.vpc_cidr)[1], "<prefix>")}."
  }
}

variable "az_count" {
  description = "Number of availability zones, 2 or 3."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = contains([2, 3], var.az_count)
    error_message = "az_count is ${var.az_count}, but a load balancer and a Multi-AZ database need at least 2 zones and the address plan holds 3: give 2 or 3."
  }
}

variable "nat_mode" {
  description = "Way out for the private subnets: none, single (one NAT gateway, cheap) or per_az (one for each zone, survives the loss of a zone)."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["none", "single", "per_az"], var.nat_mode)
    error_message = "nat_mode is \"${var.nat_mode}\", which names no way out of the private subnets: give none, single or per_az."
  }
}

variable "asleep" {
  description = "Take NAT gateways and the routes to them away for a night. Their addresses stay, at 3.65 USD a month each."
  type        = bool
  default     = false
  nullable    = false
}
