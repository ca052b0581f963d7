output "bucket" {
  description = "Name of the lake's bucket."
  value       = module.bucket.id
}

output "bucket_arn" {
  description = "ARN of the lake's bucket."
  value       = module.bucket.arn
}

output "delivery_stream" {
  description = "Name of the delivery stream, as its metrics name it."
  value       = aws_kinesis_firehose_delivery_stream.this.name
}
