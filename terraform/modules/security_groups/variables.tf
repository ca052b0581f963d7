variable "name" {
  description = "Prefix of the groups' names."
  type        = string
  nullable    = false
}

variable "vpc_id" {
  description = "VPC that the groups belong to."
  type        = string
  nullable    = false
}

variable "database_port" {
  description = "Port of the databases."
  type        = number
  default     = 5432
  nullable    = false

  validation {
    condition     = var.database_port >= 1150 && var.database_port <= 65535
    error_message = "database_port is ${var.database_port}, but RDS listens only on 1150 to 65535: choose a port in that range."
  }
}

variable "cache_port" {
  description = "Port of the caches."
  type        = number
  default     = 6379
  nullable    = false

  validation {
    condition     = var.cache_port >= 1 && var.cache_port <= 65535
    error_message = "cache_port is ${var.cache_port}, which is not a TCP port: choose 1 to 65535."
  }
}
