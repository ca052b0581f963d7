output "schedule_names" {
  description = "Names of the schedules."
  value       = { for name, schedule in aws_scheduler_schedule.this : name => schedule.name }
}
