output "topic_arn" {
  description = "Topic of security notices."
  value       = module.topic.topic_arn
}

output "audit_bucket" {
  description = "Bucket of the trail and the configuration's history."
  value       = module.trail.bucket
}

output "audit_kms_key_arn" {
  description = "Key of both."
  value       = module.key.arn
}

output "trail_arn" {
  description = "ARN of the trail."
  value       = module.trail.trail_arn
}
