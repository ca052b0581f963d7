variable "vpc_id" {
  description = "VPC of the environment."
  type        = string
  nullable    = false

  validation {
    condition     = startswith(var.vpc_id, "vpc-")
    error_message = "vpc_id is \"${var.vpc_id}\", which is not the ID of a VPC: give the foundation stack's output vpc_id."
  }
}

variable "public_subnet_ids" {
  description = "Subnets of the load balancer, in at least two zones."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.public_subnet_ids) >= 2
    error_message = "public_subnet_ids has ${length(var.public_subnet_ids)} entries, but a load balancer asks for two zones at least: give the foundation stack's output public_subnet_ids."
  }
}

variable "private_subnet_ids" {
  description = "Subnets of the tasks."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.private_subnet_ids) >= 1
    error_message = "private_subnet_ids is empty, so no task could be placed: give the foundation stack's output private_subnet_ids."
  }
}

variable "security_group_ids" {
  description = "Security groups by what they guard, as the foundation stack puts them out."
  type = object({
    load_balancer = string
    workload      = string
  })
  nullable = false
}

variable "kms_key_arn" {
  description = "Key for the environment's data at rest."
  type        = string
  nullable    = false
}

variable "hostname" {
  description = "Name that clients use, which the certificate must hold; null for the load balancer's own."
  type        = string
  default     = null
}

variable "certificate_arn" {
  description = "Certificate for HTTPS; may be null only where allow_http is true."
  type        = string
  default     = null
}

variable "allow_http" {
  description = "Accept plain HTTP while there is no certificate. With one, port 80 only redirects to HTTPS."
  type        = bool
  default     = false
  nullable    = false
}

variable "log_retention_days" {
  description = "Days for which the workloads' logs are kept."
  type        = number
  nullable    = false
}

variable "deletion_protection" {
  description = "Refuse to delete the load balancer."
  type        = bool
  default     = false
  nullable    = false
}

variable "force_destroy" {
  description = "Delete image repositories and buckets even while they hold something."
  type        = bool
  default     = false
  nullable    = false
}

variable "firewall" {
  description = "WAF before the load balancer: requests that one address may make in five minutes (rate_limit), paths that are busy by nature with limits of their own (busy_paths), rules of the common rule set that only count (counted_rules); null for none."
  type = object({
    rate_limit    = number
    busy_paths    = optional(map(object({ rate_limit = number })), {})
    counted_rules = optional(set(string), [])
  })
  default = null
}

variable "trial_cidrs" {
  description = "Ranges from which releases are tried before clients see them, such as the NAT gateways' addresses."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "workloads" {
  description = <<-EOT
    Workloads by name.
    path_patterns: paths of the load balancer that belong to it, and priority: the order in which they are tried; neither for a workload without clients.
    port, health_path: where the container listens and answers 200. health_command: how it checks itself, which one without clients needs.
    cpu, memory: size of a task in Fargate's steps. permissions: what the running code may do in AWS (actions, resources).
    min_count, max_count: between which autoscaling moves; desired_count: tasks of the first release, between those.
    stop_timeout, health_grace_seconds: seconds from SIGTERM to SIGKILL, and after a start without health checks counting.
    spot: run all tasks but one on Fargate Spot. database: let its tasks be given the database's master secret; database_secret: let the running code read it again.
    burst: step scaling (cpu, add_percent). schedules: limits by the clock (schedule, timezone, min_count, max_count).
  EOT
  type = map(object({
    path_patterns        = optional(list(string), [])
    priority             = optional(number)
    port                 = optional(number)
    health_path          = optional(string)
    health_command       = optional(list(string), [])
    permissions          = optional(list(object({ actions = list(string), resources = list(string) })), [])
    cpu                  = optional(number, 256)
    memory               = optional(number, 512)
    min_count            = optional(number, 2)
    max_count            = optional(number, 10)
    desired_count        = optional(number)
    stop_timeout         = optional(number, 30)
    health_grace_seconds = optional(number, 30)
    spot                 = optional(bool, false)
    database             = optional(bool, false)
    database_secret      = optional(bool, false)
    burst                = optional(object({ cpu = number, add_percent = number }))
    schedules            = optional(map(object({ schedule = string, timezone = optional(string, "UTC"), min_count = number, max_count = number })), {})
  }))
  nullable = false

  validation {
    condition     = length(distinct([for workload in var.workloads : workload.priority if workload.priority != null])) == length([for workload in var.workloads : workload if workload.priority != null])
    error_message = "workloads have the priorities ${jsonencode({ for name, workload in var.workloads : name => workload.priority })}, of which some are the same, so the load balancer could not order them: give each workload a number of its own."
  }

  validation {
    condition     = length(distinct(flatten([for workload in var.workloads : workload.path_patterns]))) == length(flatten([for workload in var.workloads : workload.path_patterns]))
    error_message = "workloads have the path_patterns ${jsonencode({ for name, workload in var.workloads : name => workload.path_patterns })}, of which some are the same, so the later rule would never match: give each path to one workload."
  }

  validation {
    condition     = alltrue([for workload in var.workloads : length(workload.path_patterns) + length(workload.health_command) > 0])
    error_message = "workloads has ${join(" and ", [for name, workload in var.workloads : name if length(workload.path_patterns) + length(workload.health_command) == 0])} with neither path_patterns nor health_command, so nobody would notice a task that hangs: give the paths of its clients, or, where it has none, the command by which its container checks itself."
  }

  validation {
    condition     = alltrue([for workload in var.workloads : length(workload.path_patterns) == 0 || alltrue([for given in [workload.priority, workload.port, workload.health_path] : given != null])])
    error_message = "workloads has ${join(" and ", [for name, workload in var.workloads : name if length(workload.path_patterns) > 0 && anytrue([for given in [workload.priority, workload.port, workload.health_path] : given == null])])} with path_patterns, but without all that a load balancer needs for them: give priority, port and health_path too."
  }

  validation {
    # A release sets the count before autoscaling knows of it; outside of its limits the two would undo each other.
    condition     = alltrue([for workload in var.workloads : contains(range(workload.min_count, workload.max_count + 1), coalesce(workload.desired_count, workload.min_count))])
    error_message = "workloads have counts of which a desired_count is not within min_count and max_count: ${jsonencode({ for name, workload in var.workloads : name => [workload.min_count, workload.desired_count, workload.max_count] })} (min, desired, max). Mend that one."
  }
}
