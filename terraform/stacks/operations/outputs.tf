output "runbook_documents" {
  description = "Runbook → document of Systems Manager that runs it."
  value       = module.runbook_documents.names
}

output "automations" {
  description = "Automation → its document."
  value       = { for name, automation in module.automation : name => automation.name }
}

output "power_schedules" {
  description = "Schedules that put the environment to sleep and wake it."
  value       = module.power_schedule.schedule_names
}
