variable "name" {
  description = "Name of the table."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_.-]{3,255}$", var.name))
    error_message = "name is \"${var.name}\", which DynamoDB refuses: use 3 to 255 letters, digits and _.-"
  }
}

variable "kms_key_arn" {
  description = "Key for the rows at rest."
  type        = string
  nullable    = false
}

variable "deletion_protection" {
  description = "Refuse to delete the table."
  type        = bool
  nullable    = false
}
