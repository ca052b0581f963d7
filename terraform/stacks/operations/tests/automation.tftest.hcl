mock_provider "aws" {
  override_during = plan

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/automation" }
  }
}

variables {
  name        = "drydock-dev-restart"
  account_id  = "123456789012"
  description = "Restart."
  parameters  = { Service = { type = "String", description = "Name of the service." } }
  steps       = [{ name = "restart", action = "aws:executeAwsApi", inputs = { Service = "ecs", Api = "UpdateService" } }]
  statements  = [{ actions = ["ecs:UpdateService"], resources = ["arn:aws:ecs:us-east-1:123456789012:service/drydock-dev/*"] }]
}

run "an_automation_acts_as_its_own_role" {
  command = plan

  module {
    source = "../../modules/automation"
  }

  assert {
    condition     = yamldecode(aws_ssm_document.this.content).assumeRole == aws_iam_role.this.arn && aws_ssm_document.this.document_type == "Automation"
    error_message = "without a role it would act with the rights of whoever starts it"
  }

  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "123456789012"
    error_message = "Systems Manager must not take the role for another account"
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement == [{ Action = ["ecs:UpdateService"], Effect = "Allow", Resource = ["arn:aws:ecs:us-east-1:123456789012:service/drydock-dev/*"] }]
    error_message = "the role may do what the steps need and no more"
  }
}

run "a_name_that_aws_keeps_for_itself_is_refused" {
  command = plan

  module {
    source = "../../modules/automation"
  }

  variables {
    name = "aws-restart"
  }

  expect_failures = [var.name]
}

run "a_parameter_without_a_description_is_refused" {
  command = plan

  module {
    source = "../../modules/automation"
  }

  variables {
    parameters = { Service = { type = "String" } }
  }

  expect_failures = [var.parameters]
}

run "a_document_without_steps_is_refused" {
  command = plan

  module {
    source = "../../modules/automation"
  }

  variables {
    steps = []
  }

  expect_failures = [var.steps]
}

run "to_change_anything_of_the_account_is_refused" {
  command = plan

  module {
    source = "../../modules/automation"
  }

  variables {
    statements = [{ actions = ["ecs:UpdateService"], resources = ["*"] }]
  }

  expect_failures = [var.statements]
}

run "any_action_is_refused" {
  command = plan

  module {
    source = "../../modules/automation"
  }

  variables {
    statements = [{ actions = ["ecs:*"], resources = ["arn:aws:ecs:us-east-1:123456789012:service/drydock-dev/*"] }]
  }

  expect_failures = [var.statements]
}
