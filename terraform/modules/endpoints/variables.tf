variable "name" {
  description = "Prefix of the endpoints' names."
  type        = string
  nullable    = false
}

variable "account_id" {
  description = "Account whose principals may use the gateways."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region of the services."
  type        = string
  nullable    = false
}

variable "vpc_id" {
  description = "VPC that the endpoints belong to."
  type        = string
  nullable    = false
}

variable "vpc_cidr" {
  description = "Range from which the interface endpoints may be reached."
  type        = string
  nullable    = false
}

variable "route_table_ids" {
  description = "Route tables that lead to S3 and DynamoDB by the gateways."
  type        = list(string)
  nullable    = false
}

variable "subnet_ids" {
  description = "Subnets that hold an address of every interface endpoint, one per zone."
  type        = list(string)
  nullable    = false
}

variable "interface_services" {
  description = "Services with an interface endpoint, as in their names behind com.amazonaws.<region>., such as ecr.api."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for service in var.interface_services : can(regex("^[a-z0-9-]+([.][a-z0-9-]+)*$", service)) && !startswith(service, "com.")])
    error_message = "interface_services is ${jsonencode(var.interface_services)}; a name there is no service: give what follows com.amazonaws.<region>. such as ecr.api, secretsmanager or kinesis-streams."
  }

  validation {
    condition     = length(setintersection(var.interface_services, ["s3", "dynamodb"])) == 0
    error_message = "interface_services is ${jsonencode(var.interface_services)}, but S3 and DynamoDB have their gateways, which cost nothing: leave s3 and dynamodb out."
  }

  validation {
    # Each alone leaves image pulls waiting for the other.
    condition     = contains(var.interface_services, "ecr.api") == contains(var.interface_services, "ecr.dkr")
    error_message = "interface_services is ${jsonencode(var.interface_services)}; to pull an image takes both ecr.api and ecr.dkr: give both, or neither."
  }
}
