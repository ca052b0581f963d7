mock_provider "aws" {}

variables {
  name      = "drydock-dev-patches"
  enabled   = true
  schedule  = "cron(0 3 ? * SUN *)"
  timezone  = "Europe/Berlin"
  hours     = 3
  operation = "Install"
  tag_key   = "Environment"
  tag_value = "dev"
}

run "hosts_are_patched_one_after_the_other" {
  command = plan

  module {
    source = "../../modules/maintenance_window"
  }

  assert {
    condition     = [aws_ssm_maintenance_window_task.patch.max_concurrency, aws_ssm_maintenance_window_task.patch.max_errors] == ["1", "0"]
    error_message = "a fleet must go on answering: never two hosts at once, none after one that failed"
  }

  assert {
    condition     = one([for one in aws_ssm_maintenance_window_target.hosts.targets : one.key]) == "tag:Environment" && !aws_ssm_maintenance_window.this.allow_unassociated_targets
    error_message = "only hosts of this environment are patched"
  }
}

run "a_scan_starts_nothing_again" {
  command = plan

  module {
    source = "../../modules/maintenance_window"
  }

  variables {
    operation = "Scan"
  }

  assert {
    condition     = [for one in aws_ssm_maintenance_window_task.patch.task_invocation_parameters[0].run_command_parameters[0].parameter : one.values[0] if one.name == "RebootOption"] == ["NoReboot"]
    error_message = "to look must not restart a host"
  }
}

run "an_hour_is_too_short" {
  command = plan

  module {
    source = "../../modules/maintenance_window"
  }

  variables {
    hours = 1
  }

  expect_failures = [var.hours]
}

run "another_operation_is_refused" {
  command = plan

  module {
    source = "../../modules/maintenance_window"
  }

  variables {
    operation = "Reboot"
  }

  expect_failures = [var.operation]
}
