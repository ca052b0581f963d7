variable "name" {
  description = "Name of the delivery stream and of its role."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_.-]{1,64}$", var.name))
    error_message = "name is \"${var.name}\", which Firehose or IAM refuses: use up to 64 letters, digits and _.-"
  }
}

variable "account_id" {
  description = "Account for which Firehose may take the role."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region of stream and bucket."
  type        = string
  nullable    = false
}

variable "bucket" {
  description = "Name of the lake's bucket."
  type        = string
  nullable    = false
}

variable "stream_arn" {
  description = "Kinesis stream whose records go into the lake."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kinesis:", var.stream_arn))
    error_message = "stream_arn is \"${var.stream_arn}\", which is no Kinesis stream: give its ARN."
  }
}

variable "kms_key_arn" {
  description = "Key of the stream, the objects and the log."
  type        = string
  nullable    = false
}

variable "buffer_mb" {
  description = "MiB after which a file is written even before buffer_seconds are over."
  type        = number
  default     = 64
  nullable    = false

  validation {
    condition     = var.buffer_mb >= 1 && var.buffer_mb <= 128
    error_message = "buffer_mb is ${var.buffer_mb}, but Firehose buffers 1 to 128 MiB: choose a size in that range."
  }
}

variable "buffer_seconds" {
  description = "Seconds after which a file is written even when it is small: how far the lake lags at most."
  type        = number
  nullable    = false

  validation {
    condition     = var.buffer_seconds >= 0 && var.buffer_seconds <= 900
    error_message = "buffer_seconds is ${var.buffer_seconds}, but Firehose buffers for 0 to 900 s: choose a time in that range."
  }
}

variable "infrequent_access_days" {
  description = "Days after which a file moves to the cheaper class for rare reads; null leaves it."
  type        = number
  default     = null
}

variable "expire_days" {
  description = "Days after which a file is removed; null keeps files for ever."
  type        = number
  default     = null
}

variable "log_retention_days" {
  description = "Days for which failures of the delivery are logged."
  type        = number
  nullable    = false
}

variable "force_destroy" {
  description = "Delete the lake even while it holds files."
  type        = bool
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "Policy that is the most the role may do; null for none."
  type        = string
  default     = null
}
