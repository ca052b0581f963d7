variable "name" {
  description = "Name of the document and of its role."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{3,64}$", var.name)) && !can(regex("^(?i)(aws|amazon|amzn)", var.name))
    error_message = "name is \"${var.name}\", which Systems Manager or IAM refuses: use 3 to 64 letters, digits and _.-, not beginning with aws, amazon or amzn."
  }
}

variable "description" {
  description = "What the automation does, as its page in the console says."
  type        = string
  nullable    = false
}

variable "account_id" {
  description = "Account in which it is run; Systems Manager may take the role for that account alone."
  type        = string
  nullable    = false
}

variable "parameters" {
  description = "Parameters of the document, as its schema 0.3 writes them."
  type        = any
  nullable    = false

  validation {
    condition     = alltrue([for name, one in var.parameters : can(regex("^[A-Z][A-Za-z0-9]*$", name)) && try(one.type, "") == "String" && length(try(one.description, "")) > 0])
    error_message = "parameters are ${join(", ", keys(var.parameters))}: give each a name of letters and digits that begins with a capital, the type String and a description."
  }
}

variable "steps" {
  description = "Steps of the document, as its schema 0.3 writes them."
  type        = any
  nullable    = false

  validation {
    condition     = length(var.steps) > 0 && alltrue([for one in var.steps : startswith(try(one.action, ""), "aws:") && length(try(one.name, "")) > 0])
    error_message = "steps are not those of an automation: give at least one, each with a name and an action such as aws:executeAwsApi."
  }
}

variable "statements" {
  description = "What it is allowed to do."
  type = list(object({
    actions   = list(string)
    resources = list(string)
  }))
  nullable = false

  validation {
    condition = alltrue([
      for one in var.statements : alltrue([
        for action in one.actions : can(regex("^[a-z0-9-]+:[A-Z][A-Za-z]+$", action)) && (!contains(one.resources, "*") || can(regex(":(Describe|List|Get)", action)))
      ])
    ])
    error_message = "statements allow more than the steps need: name every action in full, and give * as resource only to actions that read."
  }
}

variable "permissions_boundary_arn" {
  description = "Policy that is the most the role may do; null for none."
  type        = string
  default     = null
}
