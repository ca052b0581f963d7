output "id" {
  description = "ID of the window."
  value       = aws_ssm_maintenance_window.this.id
}
