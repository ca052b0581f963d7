variable "name" {
  description = "Name of the bucket, unique among all accounts: put account_id in it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.name))
    error_message = "name is \"${var.name}\", which S3 refuses or TLS could not serve: use 3 to 63 lower-case letters, digits and hyphens, no dot, with a letter or digit at both ends."
  }
}

variable "kms_key_arn" {
  description = "Key that encrypts the objects; null for S3's own key, where the service that writes here takes no other (load balancer logs)."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:", var.kms_key_arn))
    error_message = "kms_key_arn is \"${coalesce(var.kms_key_arn, "null")}\", which is no KMS key: give its ARN, or null for S3's own key."
  }
}

variable "force_destroy" {
  description = "Delete the bucket even while it holds objects."
  type        = bool
  default     = false
  nullable    = false
}

variable "expire_days" {
  description = "Days after which an object is removed; null keeps objects for ever."
  type        = number
  default     = null

  validation {
    condition     = var.expire_days == null || (coalesce(var.expire_days, 0) >= 1 && floor(coalesce(var.expire_days, 0)) == coalesce(var.expire_days, 0))
    error_message = "expire_days is ${coalesce(var.expire_days, 0)}, but S3 counts whole days from 1: give at least 1, or null to keep objects for ever."
  }
}

variable "infrequent_access_days" {
  description = "Days after which an object moves to the cheaper class for rare reads; null leaves it where it is."
  type        = number
  default     = null

  validation {
    condition     = var.infrequent_access_days == null || coalesce(var.infrequent_access_days, 0) >= 30
    error_message = "infrequent_access_days is ${coalesce(var.infrequent_access_days, 0)}, but S3 moves nothing there before 30 days: give at least 30, or null."
  }

  validation {
    condition     = var.infrequent_access_days == null || var.expire_days == null || coalesce(var.infrequent_access_days, 0) + 30 <= coalesce(var.expire_days, 0)
    error_message = "infrequent_access_days is ${coalesce(var.infrequent_access_days, 0)} and expire_days ${coalesce(var.expire_days, 0)}, yet 30 days are paid there at least: leave 30 days between them, or give null."
  }
}

variable "noncurrent_days" {
  description = "Days after which a replaced or deleted version of an object is removed."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.noncurrent_days >= 1
    error_message = "noncurrent_days is ${var.noncurrent_days}, which would leave nothing to go back to: give at least 1."
  }
}

variable "policy_statements" {
  description = "Further statements of the bucket policy, as a JSON list: jsonencode([{Sid = …}])."
  type        = string
  default     = "[]"
  nullable    = false

  validation {
    condition     = can([for statement in jsondecode(var.policy_statements) : statement.Effect]) && startswith(trimspace(var.policy_statements), "[")
    error_message = "policy_statements is ${substr(var.policy_statements, 0, 80)}, which is no JSON list of policy statements: give jsonencode([{Sid = …, Effect = …}])."
  }
}

variable "object_ownership" {
  description = "Who owns what others write: BucketOwnerEnforced (no ACLs), or BucketOwnerPreferred for a service that sets ACLs."
  type        = string
  default     = "BucketOwnerEnforced"
  nullable    = false

  validation {
    condition     = contains(["BucketOwnerEnforced", "BucketOwnerPreferred"], var.object_ownership)
    error_message = "object_ownership is \"${var.object_ownership}\", with which objects could belong to strangers: give BucketOwnerEnforced or BucketOwnerPreferred."
  }
}

variable "tags" {
  description = "Tags that differ from the stack's default tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
