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

variable "interface_endpoints" {
  description = "AWS services reached by an endpoint within the VPC, such as ecr.api; each costs by the hour in every zone. S3 and DynamoDB always are, by gateways that cost nothing."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "flow_logs" {
  description = "Where the VPC's flow logs go (destination: s3 or cloudwatch), of which traffic (traffic_type: ALL, ACCEPT or REJECT) and for how long (retention_days)."
  type = object({
    destination    = string
    traffic_type   = optional(string, "ALL")
    retention_days = number
  })
  nullable = false
}

variable "force_destroy" {
  description = "Delete the flow logs' bucket even while it holds logs."
  type        = bool
  default     = false
  nullable    = false
}

variable "asleep" {
  description = "Take NAT gateways and the routes to them away for a night. Their addresses stay, at 3.65 USD a month each."
  type        = bool
  default     = false
  nullable    = false
}
