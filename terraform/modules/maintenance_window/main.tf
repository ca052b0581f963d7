# The hours in which hosts that Systems Manager manages are patched, one after the other.

resource "aws_ssm_maintenance_window" "this" {
  name                       = var.name
  description                = "Patches of the operating system"
  schedule                   = var.schedule
  schedule_timezone          = var.timezone
  duration                   = var.hours
  cutoff                     = 1
  allow_unassociated_targets = false
  enabled                    = var.enabled
}

resource "aws_ssm_maintenance_window_target" "hosts" {
  window_id     = aws_ssm_maintenance_window.this.id
  name          = "${var.name}-hosts"
  description   = "Instances that carry ${var.tag_key}=${var.tag_value}"
  resource_type = "INSTANCE"

  targets {
    key    = "tag:${var.tag_key}"
    values = [var.tag_value]
  }
}

resource "aws_ssm_maintenance_window_task" "patch" {
  window_id       = aws_ssm_maintenance_window.this.id
  name            = "${var.name}-patch"
  description     = var.operation == "Scan" ? "Say which patches are missing" : "Install what is missing, and start again where that needs it"
  task_type       = "RUN_COMMAND"
  task_arn        = "AWS-RunPatchBaseline"
  priority        = 1
  cutoff_behavior = "CONTINUE_TASK"
  # A fleet goes on answering: never two hosts at once, and none after one that failed.
  max_concurrency = "1"
  max_errors      = "0"

  targets {
    key    = "WindowTargetIds"
    values = [aws_ssm_maintenance_window_target.hosts.id]
  }

  task_invocation_parameters {
    run_command_parameters {
      timeout_seconds = 3600

      parameter {
        name   = "Operation"
        values = [var.operation]
      }

      parameter {
        name   = "RebootOption"
        values = [var.operation == "Scan" ? "NoReboot" : "RebootIfNeeded"]
      }
    }
  }
}
