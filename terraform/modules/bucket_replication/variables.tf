variable "name" {
  description = "What the role's name begins with."
  type        = string
  nullable    = false
}

variable "account_id" {
  description = "Account of both buckets."
  type        = string
  nullable    = false
}

variable "bucket" {
  description = "Name of the bucket that is copied; it must keep versions already."
  type        = string
  nullable    = false
}

variable "kms_key_arn" {
  description = "Key of that bucket."
  type        = string
  nullable    = false
}

variable "replica_arn" {
  description = "ARN of the bucket that takes the copies; it must keep versions already."
  type        = string
  nullable    = false

  validation {
    condition     = endswith(var.replica_arn, ":s3:::${var.bucket}") == false && can(regex("^arn:aws[a-z-]*:s3:::", var.replica_arn))
    error_message = "replica_arn is \"${var.replica_arn}\", which is not another bucket's ARN: give that of a bucket in the standby region."
  }
}

variable "replica_kms_key_arn" {
  description = "Key, of the replica's region, that the copies are encrypted with."
  type        = string
  nullable    = false

  validation {
    condition     = var.replica_kms_key_arn != var.kms_key_arn
    error_message = "replica_kms_key_arn is \"${var.replica_kms_key_arn}\", the key of the bucket itself: a copy that only a lost region's key can read is none. Give a key of the replica's region."
  }
}

variable "permissions_boundary_arn" {
  description = "Policy that is the most the role may do; null for none."
  type        = string
  default     = null
}
