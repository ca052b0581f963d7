mock_provider "aws" {}

variables {
  name           = "drydock-dev-runbook"
  environment    = "dev"
  project_folder = "/opt/drydock"
}

run "every_runbook_has_its_document" {
  command = plan

  module {
    source = "../../modules/runbook_documents"
  }

  assert {
    condition     = sort(keys(aws_ssm_document.this)) == sort([for file in fileset("../../../runbooks", "*.yml") : trimsuffix(file, ".yml")])
    error_message = "a runbook without a document could not be run from the console"
  }

  assert {
    condition     = alltrue([for one in aws_ssm_document.this : yamldecode(one.content).parameters.Mode.default == "check"])
    error_message = "a document that is sent without a thought must change nothing"
  }

  assert {
    condition = alltrue(flatten([
      for one in aws_ssm_document.this : [
        for parameter in yamldecode(one.content).parameters :
        parameter.type == "String" && (can(parameter.allowedValues) || can(regex("^\\^[^ ;&|$`\"'\\\\]*\\$$", parameter.allowedPattern)) || contains(["^(true|false|)$"], try(parameter.allowedPattern, "")))
      ]
    ]))
    error_message = "every parameter needs a pattern that leaves no letter which means something to a shell"
  }

  assert {
    condition = alltrue([
      for one in aws_ssm_document.this : alltrue([
        for name in keys(yamldecode(one.content).parameters) : can(regex("^[A-Z][A-Za-z0-9]*$", name)) && strcontains(join("\n", yamldecode(one.content).mainSteps[0].inputs.runCommand), "{{ ${name} }}")
      ])
    ])
    error_message = "every input must reach the runbook"
  }

  assert {
    condition     = contains(yamldecode(aws_ssm_document.this["solana-node-lagging"].content).mainSteps[0].inputs.runCommand, "set -- -i 'inventories/dev' -i 'inventories/nodes/dev' 'runbooks/solana-node-lagging.yml'")
    error_message = "a runbook for nodes finds them by an inventory of their own"
  }

  assert {
    condition     = contains(yamldecode(aws_ssm_document.this["failover-drill"].content).mainSteps[0].inputs.runCommand, "set -- -i 'inventories/dev' 'runbooks/failover-drill.yml'")
    error_message = "a document must run its runbook on its environment's inventory"
  }

  assert {
    condition     = !can(yamldecode(aws_ssm_document.this["failover-drill"].content).parameters.Target.default) && yamldecode(aws_ssm_document.this["failover-drill"].content).parameters.Target.allowedValues == ["database", "cache", "both"]
    error_message = "what a runbook requires, its document must require"
  }
}

run "a_folder_that_a_shell_would_read_is_refused" {
  command = plan

  module {
    source = "../../modules/runbook_documents"
  }

  variables {
    project_folder = "/opt/drydock; rm -rf /"
  }

  expect_failures = [var.project_folder]
}

run "a_time_out_shorter_than_a_runbook_waits_is_refused" {
  command = plan

  module {
    source = "../../modules/runbook_documents"
  }

  variables {
    timeout_seconds = 60
  }

  expect_failures = [var.timeout_seconds]
}
