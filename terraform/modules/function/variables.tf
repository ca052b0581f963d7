variable "name" {
  description = "Name of the function and of its role."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,64}$", var.name))
    error_message = "name is \"${var.name}\", which Lambda refuses: use up to 64 letters, digits, underscores and hyphens."
  }
}

variable "description" {
  description = "What it does, in a few words."
  type        = string
  nullable    = false
}

variable "package" {
  description = "Path of the zip archive with index.py, which scripts/function_packages.py makes from its source."
  type        = string
  nullable    = false

  validation {
    condition     = fileexists(var.package)
    error_message = "package is \"${var.package}\", where no file is: run python scripts/function_packages.py, which writes functions/<name>.zip."
  }
}

variable "policy_statements" {
  description = "What it may do besides writing its log, as a JSON list of policy statements."
  type        = string
  nullable    = false

  validation {
    condition     = can([for statement in jsondecode(var.policy_statements) : statement.Effect]) && startswith(trimspace(var.policy_statements), "[")
    error_message = "policy_statements is ${substr(var.policy_statements, 0, 80)}, which is no JSON list of policy statements: give jsonencode([{Sid = …, Effect = …}])."
  }
}

variable "environment" {
  description = "Its settings. No secrets: they are seen by whoever may see the function."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "timeout" {
  description = "Seconds after which a call is stopped."
  type        = number
  nullable    = false

  validation {
    condition     = var.timeout >= 1 && var.timeout <= 900
    error_message = "timeout is ${var.timeout} s, but Lambda stops a call after 1 to 900 s: choose a time in that range."
  }
}

variable "memory_mb" {
  description = "Memory in MiB, which also decides its share of a processor."
  type        = number
  default     = 128
  nullable    = false

  validation {
    condition     = var.memory_mb >= 128 && var.memory_mb <= 10240
    error_message = "memory_mb is ${var.memory_mb}, but Lambda gives 128 to 10240 MiB: choose a size in that range."
  }
}

variable "concurrency" {
  description = "Calls that may run at once; out of the account's 1000, of which 100 stay for others."
  type        = number
  nullable    = false

  validation {
    condition     = var.concurrency >= 1 && var.concurrency <= 900
    error_message = "concurrency is ${var.concurrency}, with which it would never run or AWS would refuse: choose 1 to 900."
  }
}

variable "kms_key_arn" {
  description = "Key for its settings and its log."
  type        = string
  nullable    = false
}

variable "log_retention_days" {
  description = "Days for which its log is kept."
  type        = number
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "Policy that is the most the role may do; null for none."
  type        = string
  default     = null
}
