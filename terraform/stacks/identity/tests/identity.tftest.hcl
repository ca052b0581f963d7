mock_provider "aws" {
  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::123456789012:policy/drydock-dev-boundary" }
  }

  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
  }

  override_resource {
    target = module.baseline.aws_iam_role.break_glass
    values = { arn = "arn:aws:iam::123456789012:role/drydock-dev-break-glass" }
  }
}

variables {
  environment       = "dev"
  account_id        = "123456789012"
  region            = "us-east-1"
  owner             = "platform"
  cost_center       = "trading"
  state_bucket      = "drydock-dev-tfstate-123456789012"
  lock_table        = "drydock-dev-tflock"
  state_kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/state"
  recovery_region   = "us-west-2"
  github            = { repository = "example-org/drydock", branch = "main" }
}

run "nobody_but_this_repository_and_environment" {
  assert {
    condition     = join(" ", keys(output.ci_role_arns)) == "apply deploy plan"
    error_message = "there must be one role to plan, one to apply, one to deploy"
  }
}

run "no_policy_of_the_pipeline_allows_everything" {
  command = plan

  assert {
    condition = alltrue(flatten([
      for policy in [local.read_policy, local.change_policy, local.release_policy, local.state_policy["plan"], local.state_policy["apply"]] : [
        for statement in jsondecode(policy).Statement : [
          for action in flatten([try(statement.Action, [])]) : action != "*"
        ]
      ]
    ]))
    error_message = "no statement may name every action"
  }

  assert {
    condition = alltrue(flatten([
      for statement in jsondecode(local.read_policy).Statement : [
        for action in statement.Action : can(regex("^[a-z0-9-]+:(Describe|Get|List|View|BatchGet)", action)) && !contains([
          "s3:GetObject", "secretsmanager:GetSecretValue", "dynamodb:GetItem", "kinesis:GetRecords", "logs:GetLogEvents", "kms:GetPublicKey",
        ], action)
      ]
    ]))
    error_message = "whoever plans reads how things are, never what is kept in them"
  }

  # A verb with a star must not let through what the list above names one by one.
  assert {
    condition = alltrue([
      for service in ["s3", "secretsmanager", "dynamodb", "kinesis", "logs", "ssm", "sqs", "lambda", "kms"] : !contains(local.reads[service], "Get*")
    ])
    error_message = "services that keep data may not be read by Get*"
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(local.change_policy).Statement : statement.Effect == "Deny" || !strcontains(jsonencode(statement), "\"iam:*")
    ])
    error_message = "the pipeline may change roles by name and action, never all of IAM"
  }

  assert {
    condition = alltrue(flatten([
      for statement in concat(jsondecode(local.change_policy).Statement, jsondecode(local.release_policy).Statement) :
      [for action in flatten([try(statement.Action, [])]) : action != "iam:PassRole" || try(length(statement.Condition.StringEquals["iam:PassedToService"]) > 0, false)]
    ]))
    error_message = "a role is passed to named services only"
  }

  # IAM refuses more than this for all inline policies of a role together, not counting spaces.
  assert {
    condition     = length(local.read_policy) + length(local.state_policy["apply"]) + length(local.change_policy) < 10240
    error_message = "the policies of the role that applies are longer than the 10,240 characters that IAM takes"
  }

  assert {
    condition = anytrue([
      for statement in jsondecode(local.change_policy).Statement :
      statement.Effect == "Deny" && try(contains(statement.Resource, "arn:aws:s3:::drydock-dev-tfstate-123456789012") && contains(statement.Action, "s3:DeleteBucket*"), false)
    ])
    error_message = "the role that applies may not take away the states that it writes"
  }
}

run "wrong_inputs_are_refused" {
  command = plan

  variables {
    github = { repository = "example-org/drydock", branch = "release-*" }
  }

  expect_failures = [var.github]
}
