mock_provider "aws" {
  override_during = plan

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/operations" }
  }
}

variables {
  environment        = "dev"
  account_id         = "123456789012"
  region             = "us-east-1"
  owner              = "platform-team"
  cost_center        = "trading"
  project_folder     = "/opt/drydock"
  timezone           = "Europe/Berlin"
  power_schedule     = { enabled = true }
  maintenance_window = { enabled = true }
}

run "documents_are_named_after_their_environment" {
  command = plan

  assert {
    condition     = alltrue([for name in concat(values(output.automations), values(output.runbook_documents), values(output.power_schedules)) : startswith(name, "drydock-dev-")])
    error_message = "two environments in one account must not meet"
  }

  assert {
    condition     = toset(keys(output.automations)) == toset(["power", "failover-database", "failover-cache", "restart-service"])
    error_message = "what can be done without Ansible is missing"
  }
}

run "an_environment_that_is_none_is_refused" {
  command = plan

  variables {
    environment = "production"
  }

  expect_failures = [var.environment]
}
