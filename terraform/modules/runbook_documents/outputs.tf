output "names" {
  description = "Runbook → name of its document."
  value       = { for runbook, document in aws_ssm_document.this : runbook => document.name }
}
