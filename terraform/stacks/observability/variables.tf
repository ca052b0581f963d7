variable "kms_key_arn" {
  description = "Key for notifications at rest; its policy lets CloudWatch use it for this environment's topic."
  type        = string
  nullable    = false
}

variable "subscriptions" {
  description = "Who is told of alarms, by a name of your choice: protocol email or https, and endpoint."
  type        = map(object({ protocol = string, endpoint = string }))
  default     = {}
  nullable    = false
}

variable "load_balancer_arn_suffix" {
  description = "Load balancer as its metrics name it: app/<name>/<id>."
  type        = string
  nullable    = false

  validation {
    condition     = startswith(var.load_balancer_arn_suffix, "app/")
    error_message = "load_balancer_arn_suffix is \"${var.load_balancer_arn_suffix}\", which is no dimension of an application load balancer's metrics: give the platform stack's output load_balancer_arn_suffix."
  }
}

variable "cluster_name" {
  description = "ECS cluster of the workloads, with Container Insights."
  type        = string
  nullable    = false
}

variable "workloads" {
  description = "Workloads by name, as the platform stack puts them out; target groups have those with clients."
  type = map(object({
    service_name                      = string
    clients                           = optional(bool, true)
    target_group_arn_suffix           = optional(string)
    alternate_target_group_arn_suffix = optional(string)
  }))
  nullable = false
}

variable "database" {
  description = "Database as the data stack puts it out: identifier, its limit of connections, its proxy's name or null."
  type = object({
    identifier      = string
    max_connections = number
    proxy_name      = optional(string)
  })
  nullable = false

  validation {
    condition     = var.database.max_connections > 0
    error_message = "database.max_connections is ${var.database.max_connections}, of which no share is a sensible threshold: give the data stack's output database_max_connections."
  }
}

variable "cache_nodes" {
  description = "Nodes of the cache by identifier."
  type        = list(string)
  nullable    = false
}

variable "solana" {
  description = "Fleet of Solana RPC nodes as the solana stack puts it out; null for none."
  type = object({
    fleet_name               = string
    metric_namespace         = string
    load_balancer_arn_suffix = string
    target_group_arn_suffix  = string
  })
  default = null

  validation {
    condition     = startswith(try(var.solana.load_balancer_arn_suffix, "net/"), "net/")
    error_message = "solana.load_balancer_arn_suffix is \"${try(var.solana.load_balancer_arn_suffix, "")}\", which is no dimension of a network load balancer's metrics: give the solana stack's output load_balancer_arn_suffix."
  }
}

variable "events" {
  description = "Stream of events and queue of their dead letters as the streaming stack puts them out, and from how many seconds on its consumer is behind; null for none."
  type = object({
    stream_name            = string
    dead_letter_queue_name = string
    behind_seconds         = optional(number, 60)
  })
  default = null

  validation {
    condition     = try(var.events.behind_seconds, 60) > 0
    error_message = "events.behind_seconds is ${try(var.events.behind_seconds, 60)}, by which every consumer is behind: give the seconds that an event may wait."
  }
}
