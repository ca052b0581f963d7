mock_provider "aws" {
  override_during = plan

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/schedule" }
  }
}

variables {
  name                = "drydock-dev-power-schedule"
  account_id          = "123456789012"
  region              = "us-east-1"
  document_name       = "drydock-dev-power"
  automation_role_arn = "arn:aws:iam::123456789012:role/drydock-dev-power"
  enabled             = true
  timezone            = "Europe/Berlin"
  schedules           = { sleep = { description = "Sleep", expression = "cron(0 18 ? * MON-FRI *)", parameters = { Action = ["sleep"] } } }
}

run "it_starts_the_automation_by_the_clock_of_people" {
  command = plan

  module {
    source = "../../modules/automation_schedule"
  }

  assert {
    condition     = jsondecode(aws_scheduler_schedule.this["sleep"].target[0].input) == { DocumentName = "drydock-dev-power", Parameters = { Action = ["sleep"] } }
    error_message = "StartAutomationExecution must be told the document and what it is to do"
  }

  assert {
    condition     = aws_scheduler_schedule.this["sleep"].schedule_expression_timezone == "Europe/Berlin" && aws_scheduler_schedule.this["sleep"].flexible_time_window[0].mode == "OFF"
    error_message = "it must follow people's clock, with its daylight saving time, to the minute"
  }

  assert {
    condition     = aws_scheduler_schedule.this["sleep"].target[0].retry_policy[0].maximum_event_age_in_seconds <= 900
    error_message = "a sleep that is late must not be caught up with"
  }

  assert {
    condition = [for one in jsondecode(aws_iam_role_policy.this.policy).Statement : one.Resource] == [
      "arn:aws:ssm:us-east-1:123456789012:automation-definition/drydock-dev-power:*",
      "arn:aws:iam::123456789012:role/drydock-dev-power",
    ]
    error_message = "the schedule may start that document and pass that role, nothing else"
  }
}

run "one_that_is_off_is_there_and_does_nothing" {
  command = plan

  module {
    source = "../../modules/automation_schedule"
  }

  variables {
    enabled = false
  }

  assert {
    condition     = aws_scheduler_schedule.this["sleep"].state == "DISABLED"
    error_message = "an environment that never sleeps must not be put to sleep"
  }
}

run "an_expression_of_crontab_is_refused" {
  command = plan

  module {
    source = "../../modules/automation_schedule"
  }

  variables {
    schedules = { sleep = { description = "Sleep", expression = "0 18 * * 1-5", parameters = {} } }
  }

  expect_failures = [var.schedules]
}

run "an_offset_is_no_time_zone" {
  command = plan

  module {
    source = "../../modules/automation_schedule"
  }

  variables {
    timezone = "+02:00"
  }

  expect_failures = [var.timezone]
}
