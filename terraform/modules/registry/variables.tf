variable "name" {
  description = "Name of the repository."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]+([._/-][a-z0-9]+)*$", var.name)) && length(var.name) >= 2
    error_message = "name is \"${var.name}\", which a registry refuses: use lower-case letters and digits, separated by single hyphens, underscores, dots or slashes."
  }
}

variable "kms_key_arn" {
  description = "Key that encrypts the images."
  type        = string
  nullable    = false
}

variable "keep_images" {
  description = "Number of newest images that are kept."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.keep_images >= 2
    error_message = "keep_images is ${var.keep_images}, which would leave no image to roll back to: give at least 2."
  }
}

variable "force_delete" {
  description = "Delete the repository even while it holds images."
  type        = bool
  default     = false
  nullable    = false
}

variable "tags" {
  description = "Tags that differ from the stack's default tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
