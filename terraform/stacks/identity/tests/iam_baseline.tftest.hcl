mock_provider "aws" {
  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::123456789012:policy/drydock-dev-boundary" }
  }
}

variables {
  name              = "drydock-dev"
  account_id        = "123456789012"
  region            = "us-east-1"
  regions           = ["us-east-1", "us-west-2"]
  services          = ["ec2", "iam", "s3"]
  regional_services = ["ec2"]
}

run "the_emergency_role_wants_a_second_factor" {
  module {
    source = "../../modules/iam_baseline"
  }

  assert {
    condition     = aws_iam_role.break_glass.max_session_duration == 3600
    error_message = "an emergency lasts an hour at most"
  }

  assert {
    condition = [for statement in jsondecode(aws_iam_role.break_glass.assume_role_policy).Statement : statement.Condition] == [{
      Bool            = { "aws:MultiFactorAuthPresent" = "true" }
      NumericLessThan = { "aws:MultiFactorAuthAge" = "3600" }
    }]
    error_message = "there is no way to the role but with a fresh second factor"
  }
}

run "the_ceiling_cannot_be_lifted_from_below" {
  module {
    source = "../../modules/iam_baseline"
  }

  assert {
    condition = anytrue([
      for statement in jsondecode(aws_iam_policy.boundary.policy).Statement :
      try(statement.Effect == "Deny" && contains(statement.Action, "iam:CreateRole") && statement.Condition.StringNotEquals["iam:PermissionsBoundary"] == "arn:aws:iam::123456789012:policy/drydock-dev-boundary", false)
    ])
    error_message = "a role under the ceiling may make roles under the same ceiling only"
  }

  assert {
    condition = anytrue([
      for statement in jsondecode(aws_iam_policy.boundary.policy).Statement :
      try(statement.Effect == "Deny" && contains(statement.Action, "iam:CreatePolicyVersion") && contains(statement.Resource, "arn:aws:iam::123456789012:policy/drydock-dev-boundary"), false)
    ])
    error_message = "the ceiling itself may not be rewritten from below"
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_policy.boundary.policy).Statement : statement.Effect == "Deny" || !contains(statement.Action, "*")
    ])
    error_message = "the ceiling must name its services"
  }

  assert {
    condition     = length(aws_iam_policy.boundary.policy) < 6144
    error_message = "IAM takes 6,144 characters of a managed policy"
  }
}

run "parameters_of_the_environment_only" {
  module {
    source = "../../modules/iam_baseline"
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_role_policy.parameter_reader.policy).Statement : statement.Resource
    ] == ["arn:aws:ssm:us-east-1:123456789012:parameter/drydock-dev/*", "arn:aws:kms:us-east-1:123456789012:key/*"]
    error_message = "the reader must read no parameter but the environment's"
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.parameter_reader.policy).Statement[1].Condition.StringEquals["kms:ViaService"] == "ssm.us-east-1.amazonaws.com"
    error_message = "keys may be used through SSM alone"
  }

  assert {
    condition     = aws_iam_role.parameter_reader.permissions_boundary == "arn:aws:iam::123456789012:policy/drydock-dev-boundary"
    error_message = "the reader has the ceiling"
  }
}

run "passwords_are_long_and_new" {
  module {
    source = "../../modules/iam_baseline"
  }

  assert {
    condition = (aws_iam_account_password_policy.this.minimum_password_length >= 14 && aws_iam_account_password_policy.this.password_reuse_prevention == 24
    && aws_iam_account_password_policy.this.require_symbols && aws_iam_account_password_policy.this.require_numbers)
    error_message = "passwords must be at least what the CIS benchmark asks for"
  }
}

run "wrong_inputs_are_refused" {
  command = plan

  module {
    source = "../../modules/iam_baseline"
  }

  variables {
    regions                = ["us-east"]
    services               = ["*"]
    break_glass_principals = ["*"]
  }

  expect_failures = [var.regions, var.services, var.break_glass_principals]
}
