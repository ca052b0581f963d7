variable "name" {
  description = "Name of the function and of its role."
  type        = string
  nullable    = false
}

variable "package" {
  description = "Path of the function's zip archive."
  type        = string
  nullable    = false
}

variable "stream_name" {
  description = "Name of the stream, which the metrics carry as dimension Stream."
  type        = string
  nullable    = false
}

variable "stream_arn" {
  description = "ARN of the stream."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kinesis:", var.stream_arn))
    error_message = "stream_arn is \"${var.stream_arn}\", which is no Kinesis stream: give its ARN."
  }
}

variable "failures_bucket_arn" {
  description = "Bucket for records that were tried too often; Lambda writes them under aws/lambda/."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:s3:::", var.failures_bucket_arn))
    error_message = "failures_bucket_arn is \"${var.failures_bucket_arn}\", which is no bucket: a queue would keep only where the record was, not the record; give a bucket's ARN."
  }
}

variable "concurrency" {
  description = "Calls that may run at once: one for each shard."
  type        = number
  nullable    = false
}

variable "kms_key_arn" {
  description = "Key of the stream, the bucket and the log."
  type        = string
  nullable    = false
}

variable "log_retention_days" {
  description = "Days for which the function's log is kept."
  type        = number
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "Policy that is the most the role may do; null for none."
  type        = string
  default     = null
}
