variable "name" {
  description = "Prefix of the names: drydock-<environment>."
  type        = string
  nullable    = false
}

variable "account_id" {
  description = "Account of the environment."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region of the environment."
  type        = string
  nullable    = false
}

variable "vpc_id" {
  description = "VPC whose traffic is logged."
  type        = string
  nullable    = false
}

variable "destination" {
  description = "Where the log goes: s3 or cloudwatch."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["s3", "cloudwatch"], var.destination)
    error_message = "destination of the flow logs is \"${var.destination}\", to which they cannot be sent: give s3 or cloudwatch."
  }
}

variable "traffic_type" {
  description = "What is logged: ALL, or only what was REJECTed or ACCEPTed."
  type        = string
  default     = "ALL"
  nullable    = false

  validation {
    condition     = contains(["ALL", "ACCEPT", "REJECT"], var.traffic_type)
    error_message = "traffic_type of the flow logs is \"${var.traffic_type}\", which AWS does not know: give ALL, ACCEPT or REJECT."
  }
}

variable "retention_days" {
  description = "Days for which the log is kept."
  type        = number
  nullable    = false

  validation {
    # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.retention_days)
    error_message = "retention_days of the flow logs is ${var.retention_days}, which CloudWatch Logs does not offer: give one of its steps, such as 7, 30, 90 or 365."
  }
}

variable "kms_key_arn" {
  description = "Key that encrypts the log group. The bucket is encrypted by S3's own key."
  type        = string
  nullable    = false
}

variable "force_destroy" {
  description = "Delete the bucket even while it holds logs."
  type        = bool
  default     = false
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "Policy that is the most the role may do; null for none."
  type        = string
  default     = null
}
