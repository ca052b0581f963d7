output "state_bucket" {
  description = "Bucket that keeps the states."
  value       = module.state_backend.bucket
}

output "lock_table" {
  description = "DynamoDB table that holds the locks."
  value       = module.state_backend.lock_table
}

output "kms_key_arn" {
  description = "Key of the states; the backend's kms_key_id, without which it would encrypt with S3's own key."
  value       = module.key.arn
}
