output "rpo_minutes" {
  description = "Minutes within which a new version has reached the replica."
  value       = one(one(one(aws_s3_bucket_replication_configuration.this.rule).destination).replication_time).time[0].minutes
}
