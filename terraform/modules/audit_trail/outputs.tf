output "bucket" {
  description = "Bucket of the files; the configuration's history goes there too."
  value       = module.bucket.id
}

output "bucket_arn" {
  description = "ARN of that bucket."
  value       = module.bucket.arn
}

output "trail_arn" {
  description = "ARN of the trail."
  value       = aws_cloudtrail.this.arn
}
