variable "path" {
  description = "What the names begin with: /drydock/<environment>/<stack>."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^(/[a-zA-Z0-9_.-]+){1,14}$", var.path)) && !can(regex("^/(aws|ssm)", lower(var.path)))
    error_message = "path is \"${var.path}\", which Parameter Store refuses: begin with a slash, end without one, and not with aws or ssm as the first word."
  }
}

variable "stack" {
  description = "Stack that the values come from."
  type        = string
  nullable    = false
}

variable "parameters" {
  description = "Values by name. No secrets: whoever may read parameters sees them."
  type        = map(string)
  nullable    = false

  validation {
    condition     = alltrue([for name, value in var.parameters : can(regex("^[a-z0-9-]+$", name)) && length(value) > 0 && length(value) <= 4096])
    error_message = "parameters has ${join(", ", keys(var.parameters))}, of which a name is not made of lower-case letters, digits and hyphens, or a value is empty or longer than 4096 characters."
  }
}
