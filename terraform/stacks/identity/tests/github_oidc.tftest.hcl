mock_provider "aws" {
  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
  }
}

variables {
  name                     = "drydock-dev"
  repository               = "example-org/drydock"
  permissions_boundary_arn = "arn:aws:iam::123456789012:policy/drydock-dev-boundary"
  roles = {
    apply = {
      description = "Applies"
      subjects    = ["repo:example-org/drydock:environment:dev"]
      policies    = { change = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
    }
  }
}

run "a_role_is_taken_by_named_runs_only" {
  module {
    source = "../../modules/github_oidc"
  }

  assert {
    condition = jsondecode(aws_iam_role.ci["apply"].assume_role_policy).Statement == [{
      Effect    = "Allow"
      Principal = { Federated = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          "token.actions.githubusercontent.com:sub" = "repo:example-org/drydock:environment:dev"
        }
      }
    }]
    error_message = "only tokens of this repository's environment, meant for AWS, may take the role"
  }

  assert {
    condition     = aws_iam_role.ci["apply"].permissions_boundary == var.permissions_boundary_arn && aws_iam_role.ci["apply"].max_session_duration == 3600
    error_message = "every role of the pipeline has the ceiling and lasts an hour"
  }

  assert {
    condition     = join(" ", keys(aws_iam_role_policy.ci)) == "apply-change"
    error_message = "each policy belongs to its role"
  }
}

run "every_branch_is_refused" {
  command = plan

  module {
    source = "../../modules/github_oidc"
  }

  variables {
    roles = { apply = { description = "x", subjects = ["repo:example-org/drydock:*"], policies = {} } }
  }

  expect_failures = [var.roles]
}

run "another_repository_is_refused" {
  command = plan

  module {
    source = "../../modules/github_oidc"
  }

  variables {
    roles = { apply = { description = "x", subjects = ["repo:example-org/drydock-fork:environment:dev"], policies = {} } }
  }

  expect_failures = [var.roles]
}

run "a_role_for_nobody_is_refused" {
  command = plan

  module {
    source = "../../modules/github_oidc"
  }

  variables {
    roles = { apply = { description = "x", subjects = [], policies = {} } }
  }

  expect_failures = [var.roles]
}

run "an_address_is_no_repository" {
  command = plan

  module {
    source = "../../modules/github_oidc"
  }

  variables {
    repository = "https://github.com/example-org/drydock"
  }

  expect_failures = [var.repository]
}
