output "name" {
  description = "Name of the queue."
  value       = aws_sqs_queue.this.name
}

output "arn" {
  description = "ARN of the queue."
  value       = aws_sqs_queue.this.arn
}

output "url" {
  description = "Address of the queue."
  value       = aws_sqs_queue.this.url
}

output "dead_name" {
  description = "Name of the queue of dead letters, as its metrics name it."
  value       = aws_sqs_queue.dead.name
}

output "dead_arn" {
  description = "ARN of the queue of dead letters."
  value       = aws_sqs_queue.dead.arn
}

output "dead_url" {
  description = "Address of the queue of dead letters."
  value       = aws_sqs_queue.dead.url
}
