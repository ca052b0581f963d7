variable "name" {
  description = "Name of the queue; that of its dead letters ends in -dead."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,75}$", var.name))
    error_message = "name is \"${var.name}\", with which SQS would refuse ${var.name}-dead: use up to 75 letters, digits, underscores and hyphens."
  }
}

variable "visibility_timeout" {
  description = "Seconds for which a message that was received is hidden from others; longer than it takes to work on one."
  type        = number
  nullable    = false

  validation {
    condition     = var.visibility_timeout >= 1 && var.visibility_timeout <= 43200
    error_message = "visibility_timeout is ${var.visibility_timeout} s, with which a message would be given out twice or refused by SQS: choose 1 to 43200 s."
  }
}

variable "retention_seconds" {
  description = "Seconds for which a message waits in the queue before it is dropped."
  type        = number
  default     = 345600
  nullable    = false

  validation {
    condition     = var.retention_seconds >= 60 && var.retention_seconds < 1209600
    error_message = "retention_seconds is ${var.retention_seconds}, but SQS keeps messages for 60 s to 14 days, and a dead letter's age counts from the first queue: give 60 to 1209599, so that some time is left to look at it."
  }
}

variable "max_receives" {
  description = "Times that a message is received before it goes to the dead letters."
  type        = number
  nullable    = false

  validation {
    condition     = var.max_receives >= 1 && var.max_receives <= 1000
    error_message = "max_receives is ${var.max_receives}, but SQS counts 1 to 1000 receives: choose a number in that range."
  }
}

variable "kms_key_arn" {
  description = "Key for the messages at rest."
  type        = string
  nullable    = false
}
