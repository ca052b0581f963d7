locals {
  # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
  fargate_memory = {
    "256"   = [512, 1024, 2048]
    "512"   = range(1024, 4097, 1024)
    "1024"  = range(2048, 8193, 1024)
    "2048"  = range(4096, 16385, 1024)
    "4096"  = range(8192, 30721, 1024)
    "8192"  = range(16384, 61441, 4096)
    "16384" = range(32768, 122881, 8192)
  }

  # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
  retention_days = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]
}

variable "name" {
  description = "Name of the workload: its service, container and inventory host."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([_-]?[a-z0-9])*$", var.name)) && length(var.name) <= 24
    error_message = "workload name is \"${var.name}\", which does not fit in the names made from it: use up to 24 lower-case letters, digits and single underscores or hyphens, a letter first."
  }
}

variable "environment" {
  description = "Environment, as in the Environment tag of the secrets that the workload may read."
  type        = string
  nullable    = false
}

variable "prefix" {
  description = "Prefix of this environment's names, such as drydock-dev."
  type        = string
  nullable    = false
}

variable "account_id" {
  description = "Account of the environment."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region of the environment."
  type        = string
  nullable    = false
}

variable "vpc_id" {
  description = "VPC of the targets."
  type        = string
  nullable    = false
}

variable "subnet_ids" {
  description = "Private subnets of the tasks."
  type        = list(string)
  nullable    = false
}

variable "security_group_id" {
  description = "Security group of the tasks."
  type        = string
  nullable    = false
}

variable "cluster_arn" {
  description = "Cluster that runs the service."
  type        = string
  nullable    = false
}

variable "cluster_name" {
  description = "Name of that cluster."
  type        = string
  nullable    = false
}

variable "listener_arn" {
  description = "Listener that sends the workload's paths to it."
  type        = string
  nullable    = false
}

variable "repository_url" {
  description = "Registry address of the workload's images, without a tag."
  type        = string
  nullable    = false
}

variable "repository_arn" {
  description = "Repository that the tasks may pull from."
  type        = string
  nullable    = false
}

variable "kms_key_arn" {
  description = "Key that encrypts the log group and the secrets."
  type        = string
  nullable    = false
}

variable "database_identifier" {
  description = "RDS instance whose managed master secret the tasks may be given; null for a workload without a database."
  type        = string
  default     = null
}

variable "path_patterns" {
  description = "Paths that the load balancer sends to the workload, such as /api/orders/*; none for a workload without clients."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.path_patterns) <= 5
    error_message = "path_patterns of ${var.name} has ${length(var.path_patterns)} entries, but a listener rule takes up to 5: leave that many, or join several with a wildcard."
  }

  validation {
    condition     = alltrue([for pattern in var.path_patterns : can(regex("^/[A-Za-z0-9_.$/~\"'@:+&*?-]*$", pattern)) && length(pattern) <= 128])
    error_message = "path_patterns of ${var.name} is ${jsonencode(var.path_patterns)}; a pattern that does not start with / or holds a character no listener rule takes never matches: write it like /api/orders/*, with * and ? as wildcards, up to 128 characters."
  }
}

variable "priority" {
  description = "Order among the listener's rules; the lowest number is tried first. Null without path_patterns."
  type        = number
  default     = null

  validation {
    condition     = try(var.priority >= 1 && var.priority <= 50000 && floor(var.priority) == var.priority, var.priority == null)
    error_message = "priority of ${var.name} is ${jsonencode(var.priority)}, but a listener takes whole numbers from 1 to 50000: choose one that no other workload has."
  }
}

variable "port" {
  description = "Port on which the container listens; null for none."
  type        = number
  default     = null

  validation {
    condition     = try(var.port >= 1 && var.port <= 65535 && floor(var.port) == var.port, var.port == null)
    error_message = "port of ${var.name} is ${jsonencode(var.port)}, which is not a TCP port: give a whole number from 1 to 65535."
  }
}

variable "health_path" {
  description = "Path that answers 200 while the workload can serve; the load balancer asks for it. Null without path_patterns."
  type        = string
  default     = null

  validation {
    condition     = try(startswith(var.health_path, "/"), var.health_path == null)
    error_message = "health_path of ${var.name} is ${jsonencode(var.health_path)}, which is not a path: start it with /, for example /health."
  }
}

variable "health_command" {
  description = "Command by which the container checks itself, as ECS takes it: CMD and its words, or CMD-SHELL and a line. Needed where there are no clients; none to leave it to the load balancer."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = try(contains(["CMD", "CMD-SHELL"], var.health_command[0]) && length(var.health_command) >= 2, length(var.health_command) == 0)
    error_message = "health_command of ${var.name} is ${jsonencode(var.health_command)}, which ECS does not run: write [CMD, program, argument, …] or [CMD-SHELL, \"a line for sh\"]."
  }
}

variable "permissions" {
  description = "What the running code may do in AWS: actions on resources, each by its whole name. Use of the key that these are encrypted with goes with it."
  type        = list(object({ actions = list(string), resources = list(string) }))
  default     = []
  nullable    = false

  validation {
    condition     = alltrue(flatten([for grant in var.permissions : [for action in grant.actions : can(regex("^[a-z0-9-]+:[A-Za-z0-9]+$", action))]])) && alltrue([for grant in var.permissions : length(grant.actions) > 0 && length(grant.resources) > 0])
    error_message = "permissions of ${var.name} grant ${jsonencode(flatten(var.permissions[*].actions))}, of which some are not one action each: name each, such as kinesis:GetRecords, without wildcards, and at least one resource for it."
  }

  validation {
    condition     = alltrue(flatten([for grant in var.permissions : [for resource in grant.resources : can(regex("^arn:aws:[a-z0-9-]+:[a-z0-9-]*:([0-9]{12})?:[^*]+(/[*])?$", resource))]]))
    error_message = "permissions of ${var.name} are on ${jsonencode(flatten(var.permissions[*].resources))}, of which some are no ARN of one resource: give whole ARNs, with a wildcard after the last / at most."
  }
}

variable "database_secret" {
  description = "Let the running code read the database's master secret itself, so that it can follow a rotation."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.database_secret || var.database_identifier != null
    error_message = "database_secret of ${var.name} is true, but it has no database: set database too, or leave it out."
  }
}

variable "health_grace_seconds" {
  description = "Seconds after a task's start during which failed health checks do not count."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.health_grace_seconds >= 0
    error_message = "health_grace_seconds of ${var.name} is ${var.health_grace_seconds}, which is no span of time: give 0 or more seconds."
  }
}

variable "cpu" {
  description = "CPU units of a task; 1024 are one virtual CPU."
  type        = number
  nullable    = false

  validation {
    condition     = contains(keys(local.fargate_memory), tostring(var.cpu))
    error_message = "cpu of ${var.name} is ${var.cpu}, a size that Fargate does not offer: give 256, 512, 1024, 2048, 4096, 8192 or 16384."
  }
}

variable "memory" {
  description = "Memory of a task in MiB."
  type        = number
  nullable    = false

  validation {
    condition     = contains(lookup(local.fargate_memory, tostring(var.cpu), [var.memory]), var.memory)
    error_message = "memory of ${var.name} is ${var.memory} MiB, which Fargate does not offer with cpu ${var.cpu}: give one of ${join(", ", lookup(local.fargate_memory, tostring(var.cpu), []))}."
  }
}

variable "min_count" {
  description = "Fewest tasks that autoscaling leaves running."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = var.min_count >= 1 && floor(var.min_count) == var.min_count
    error_message = "min_count of ${var.name} is ${var.min_count}, from which autoscaling by CPU could never come back: give a whole number from 1."
  }
}

variable "max_count" {
  description = "Most tasks that autoscaling, or a runbook, starts."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.max_count >= var.min_count && floor(var.max_count) == var.max_count
    error_message = "max_count of ${var.name} is ${var.max_count}, below its min_count of ${var.min_count}: give a whole number from ${var.min_count}."
  }
}

variable "stop_timeout" {
  description = "Seconds between SIGTERM and SIGKILL when a task is stopped."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.stop_timeout >= 2 && var.stop_timeout <= 120
    error_message = "stop_timeout of ${var.name} is ${var.stop_timeout} s, but Fargate waits 2 to 120 s: choose a time in that range."
  }
}

variable "spot" {
  description = "Run all tasks but one on Fargate Spot."
  type        = bool
  default     = false
  nullable    = false
}

variable "log_retention_days" {
  description = "Days for which logs are kept."
  type        = number
  nullable    = false

  validation {
    condition     = contains(local.retention_days, var.log_retention_days)
    error_message = "log_retention_days is ${var.log_retention_days}, which CloudWatch Logs does not offer: give one of ${join(", ", local.retention_days)}."
  }
}

variable "tags" {
  description = "Tags that differ from the stack's default tags."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "trial_listener_arn" {
  description = "Listener on which a release can be tried before clients see it."
  type        = string
  nullable    = false
}

variable "burst" {
  description = "Step scaling for bursts: with more than cpu percent for a minute, add_percent of the tasks are added, twice that halfway up to 100; null for none."
  type = object({
    cpu         = number
    add_percent = number
  })
  default = null

  validation {
    condition     = try(var.burst.cpu > 70 && var.burst.cpu < 100 && var.burst.add_percent >= 10 && var.burst.add_percent <= 400, var.burst == null)
    error_message = "burst of ${var.name} is ${jsonencode(var.burst)}: below 70 % CPU target tracking acts already, and steps are 10 to 400 % of the tasks. Give cpu between 70 and 100 and add_percent from 10 to 400."
  }
}

variable "schedules" {
  description = "Limits by the clock: name → schedule (cron(…), rate(…) or at(…)), timezone, min_count, max_count."
  type = map(object({
    schedule  = string
    timezone  = optional(string, "UTC")
    min_count = number
    max_count = number
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for one in var.schedules : can(regex("^(cron|rate|at)\\(.+\\)$", one.schedule))])
    error_message = "schedules of ${var.name} are ${jsonencode({ for name, one in var.schedules : name => one.schedule })}, of which some say no time: write cron(0 13 ? * MON-FRI *), at(2026-01-02T13:00:00) or rate(1 day)."
  }

  validation {
    condition     = alltrue([for one in var.schedules : one.min_count >= 0 && one.min_count <= one.max_count])
    error_message = "schedules of ${var.name} have the limits ${jsonencode({ for name, one in var.schedules : name => [one.min_count, one.max_count] })} (min, max), of which some are the wrong way round: mend those."
  }
}

variable "permissions_boundary_arn" {
  description = "Policy that is the most a role may do; null for none."
  type        = string
  default     = null
}
