variable "name" {
  description = "Name of the stream."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_.-]{1,128}$", var.name))
    error_message = "name is \"${var.name}\", which Kinesis refuses: use up to 128 letters, digits and _.-"
  }
}

variable "shards" {
  description = "Shards of the stream, each 1 MB/s in and 2 MB/s out; null: on demand, as many as the traffic takes."
  type        = number
  default     = null

  validation {
    condition     = var.shards == null || (coalesce(var.shards, 0) >= 1 && coalesce(var.shards, 0) <= 200 && floor(coalesce(var.shards, 0)) == coalesce(var.shards, 0))
    error_message = "shards is ${coalesce(var.shards, 0)}, but a stream has 1 to 200 of them: give a whole number in that range, or null for a stream that sizes itself."
  }
}

variable "retention_hours" {
  description = "Hours for which a record can be read again, which is how long consumers may be down without a loss."
  type        = number
  nullable    = false

  validation {
    condition     = var.retention_hours >= 24 && var.retention_hours <= 8760
    error_message = "retention_hours is ${var.retention_hours}, but Kinesis keeps records for 24 to 8760 hours: choose a number in that range."
  }
}

variable "kms_key_arn" {
  description = "Key for the records at rest; whoever writes or reads them needs leave to use it."
  type        = string
  nullable    = false
}

variable "force_destroy" {
  description = "Delete the stream even while consumers with enhanced fan-out are registered with it."
  type        = bool
  default     = false
  nullable    = false
}
