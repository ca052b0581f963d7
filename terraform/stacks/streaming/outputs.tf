output "stream_name" {
  description = "Name of the stream of events."
  value       = module.stream.name
}

output "stream_arn" {
  description = "ARN of the stream of events."
  value       = module.stream.arn
}

output "lease_table_name" {
  description = "Table of who reads which shard and how far; its key is leaseKey."
  value       = module.leases.name
}

output "lease_table_arn" {
  description = "ARN of the table of leases."
  value       = module.leases.arn
}

output "retry_queue_url" {
  description = "Queue of events that are to be tried again."
  value       = module.retries.url
}

output "retry_queue_arn" {
  description = "ARN of the queue of retries."
  value       = module.retries.arn
}

output "dead_letter_queue_name" {
  description = "Name of the queue of events that were tried too often, as its metrics name it."
  value       = module.retries.dead_name
}

output "dead_letter_queue_url" {
  description = "Queue of events that were tried too often."
  value       = module.retries.dead_url
}

output "dead_letter_queue_arn" {
  description = "ARN of the queue of dead letters."
  value       = module.retries.dead_arn
}

output "lake_bucket" {
  description = "Bucket with every event as it came."
  value       = module.lake.bucket
}

output "lake_delivery_stream" {
  description = "Delivery stream into the lake, as its metrics name it."
  value       = module.lake.delivery_stream
}

output "watcher_function_name" {
  description = "Function that counts events and measures their age, as its metrics name it."
  value       = module.watcher.function_name
}
