variable "kms_key_arn" {
  description = "Key for the environment's data at rest."
  type        = string
  nullable    = false
}

variable "shards" {
  description = "Shards of the stream; null: on demand."
  type        = number
  default     = null
}

variable "retention_hours" {
  description = "Hours for which events can be read again."
  type        = number
  default     = 24
  nullable    = false
}

variable "lake" {
  description = "How soon events are in the lake at the latest, when they move to the cheaper class, when they are removed (null: never)."
  type = object({
    buffer_seconds         = optional(number, 300)
    infrequent_access_days = optional(number)
    expire_days            = optional(number)
  })
  default  = {}
  nullable = false
}

variable "log_retention_days" {
  description = "Days for which logs are kept."
  type        = number
  nullable    = false
}

variable "deletion_protection" {
  description = "Refuse to delete the table of leases."
  type        = bool
  default     = true
  nullable    = false
}

variable "force_destroy" {
  description = "Delete the lake even while it holds events, and the stream while consumers are registered with it."
  type        = bool
  default     = false
  nullable    = false
}
