mock_provider "aws" {
  override_during = plan

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/rotate" }
  }

  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:us-east-1:123456789012:function:rotate" }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:rotate" }
  }
}

variables {
  name               = "drydock-dev-rotate-secret"
  prefix             = "drydock-dev"
  path               = "/drydock/dev/data"
  stack              = "data"
  engine             = "valkey"
  region             = "us-east-1"
  package            = "../../../functions/rotate_secret.zip"
  kms_key_arn        = "arn:aws:kms:us-east-1:123456789012:key/data"
  log_retention_days = 7
  recovery_days      = 7
  days               = 30
  parameters         = { database-address = "database.example" }
  secrets            = { payment-signing = { description = "Signs payments" } }
  secret_arns        = { payment-signing = "arn:aws:secretsmanager:us-east-1:123456789012:secret:drydock-dev/payment-signing-a" }
}

run "no_state_holds_a_secrets_value" {
  command = plan

  module {
    source = "../../modules/secrets"
  }

  assert {
    condition     = aws_secretsmanager_secret_version.this["payment-signing"].secret_string_wo == null && aws_secretsmanager_secret_version.this["payment-signing"].secret_string_wo_version == 1
    error_message = "the value must go out write-only, once"
  }

  assert {
    condition     = aws_secretsmanager_secret.this["payment-signing"].name == "drydock-dev/payment-signing" && aws_secretsmanager_secret.this["payment-signing"].kms_key_id == var.kms_key_arn
    error_message = "a secret must be encrypted with the environment's key"
  }
}

run "what_is_no_secret_is_refused" {
  command = plan

  module {
    source = "../../modules/secrets"
  }

  variables {
    recovery_days = 3
    secrets = {
      Payment = { description = "Signs payments", fields = { password = "in the state" } }
    }
  }

  expect_failures = [var.secrets, var.recovery_days]
}

run "the_function_reaches_the_secrets_that_it_rotates" {
  command = plan

  module {
    source = "../../modules/secret_rotation"
  }

  assert {
    condition     = aws_secretsmanager_secret_rotation.this["payment-signing"].rotation_rules[0].automatically_after_days == 30
    error_message = "the secret must be rotated as often as was asked"
  }

  assert {
    condition     = aws_lambda_permission.this["payment-signing"].source_arn == var.secret_arns["payment-signing"] && aws_lambda_permission.this["payment-signing"].principal == "secretsmanager.amazonaws.com"
    error_message = "only this secret may start the function"
  }
}

run "a_rotation_that_never_comes_is_refused" {
  command = plan

  module {
    source = "../../modules/secret_rotation"
  }

  variables {
    days = 0
  }

  expect_failures = [var.days]
}

run "parameters_have_their_path" {
  command = plan

  module {
    source = "../../modules/parameters"
  }

  assert {
    condition     = aws_ssm_parameter.this["database-address"].name == "/drydock/dev/data/database-address"
    error_message = "a parameter must be found by environment, stack and name"
  }
}

run "parameters_that_aws_refuses_are_refused" {
  command = plan

  module {
    source = "../../modules/parameters"
  }

  variables {
    path       = "/aws/dev"
    parameters = { "Database Address" = "" }
  }

  expect_failures = [var.path, var.parameters]
}

run "the_caches_own_user_is_shut_out" {
  command = plan

  module {
    source = "../../modules/cache_user"
  }

  variables {
    name = "drydock-dev"
  }

  assert {
    condition     = aws_elasticache_user.default.user_name == "default" && startswith(aws_elasticache_user.default.access_string, "off ")
    error_message = "a user default that is let in without a password makes every other user pointless"
  }

  assert {
    condition     = aws_elasticache_user.this.passwords == null && aws_elasticache_user.this.authentication_mode[0].type == "iam"
    error_message = "Terraform must know no password: it would be in the state"
  }

  assert {
    condition     = aws_elasticache_user_group.this.user_ids == toset(["drydock-dev-app", "drydock-dev-default"])
    error_message = "both users must be in the group"
  }
}

run "a_group_that_elasticache_refuses_is_refused" {
  command = plan

  module {
    source = "../../modules/cache_user"
  }

  variables {
    name   = "drydock--dev"
    engine = "memcached"
  }

  expect_failures = [var.name, var.engine]
}
