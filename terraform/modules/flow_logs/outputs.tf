output "id" {
  description = "ID of the flow log."
  value       = aws_flow_log.this.id
}

output "destination_arn" {
  description = "Bucket or log group that takes the log."
  value       = aws_flow_log.this.log_destination
}
