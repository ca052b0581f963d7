variable "vpc_cidr" {
  description = "IPv4 range of the VPC, /16 to /24, for example 10.20.0.0/16."
  type        = string
  nullable    = false
}

variable "az_count" {
  description = "Number of availability zones, 2 or 3."
  type        = number
  default     = 2
  nullable    = false
}

variable "nat_mode" {
  description = "Way out for the private subnets: none, single or per_az."
  type        = string
  nullable    = false
}
