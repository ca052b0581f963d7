output "id" {
  description = "Name of the bucket, known once its policy lets the writers in."
  value       = aws_s3_bucket.this.id
  depends_on  = [aws_s3_bucket_policy.this, aws_s3_bucket_server_side_encryption_configuration.this]
}

output "arn" {
  description = "ARN of the bucket, known once its policy lets the writers in."
  value       = aws_s3_bucket.this.arn
  depends_on  = [aws_s3_bucket_policy.this, aws_s3_bucket_server_side_encryption_configuration.this]
}

output "regional_domain_name" {
  description = "Address of the bucket in its region."
  value       = aws_s3_bucket.this.bucket_regional_domain_name
}

# Replication asks for it: it can be set up only once versions are kept.
output "versioned_id" {
  description = "Name of the bucket, known once it keeps versions."
  value       = aws_s3_bucket_versioning.this.bucket
}
