# How the environment is operated from within AWS: its runbooks as documents, what can be done
# without a machine that has Ansible, when it sleeps, when its hosts are patched.

locals {
  name = "drydock-${var.environment}"
}

module "runbook_documents" {
  source = "../../modules/runbook_documents"

  name           = "${local.name}-runbook"
  environment    = var.environment
  project_folder = var.project_folder
}

module "automation" {
  for_each = local.automations
  source   = "../../modules/automation"

  permissions_boundary_arn = var.permissions_boundary_arn

  name        = "${local.name}-${each.key}"
  account_id  = var.account_id
  description = each.value.description
  parameters  = each.value.parameters
  steps       = each.value.steps
  statements  = each.value.statements
}

module "power_schedule" {
  source = "../../modules/automation_schedule"

  permissions_boundary_arn = var.permissions_boundary_arn

  name                = "${local.name}-power-schedule"
  account_id          = var.account_id
  region              = var.region
  document_name       = module.automation["power"].name
  automation_role_arn = module.automation["power"].role_arn
  enabled             = var.power_schedule.enabled
  timezone            = var.timezone

  schedules = {
    sleep = {
      description = "Services to no task, databases stopped"
      expression  = var.power_schedule.sleep
      parameters  = { Action = ["sleep"] }
    }
    wake = {
      description = "Databases started, then services"
      expression  = var.power_schedule.wake
      parameters  = { Action = ["wake"] }
    }
  }
}

module "maintenance_window" {
  source = "../../modules/maintenance_window"

  name      = "${local.name}-patches"
  enabled   = var.maintenance_window.enabled
  schedule  = var.maintenance_window.schedule
  timezone  = var.timezone
  hours     = var.maintenance_window.hours
  operation = var.maintenance_window.operation
  tag_key   = "Environment"
  tag_value = var.environment
}
