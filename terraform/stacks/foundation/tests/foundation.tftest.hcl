mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = {
      names = ["us-east-1a", "us-east-1b"]
    }
  }
}

variables {
  environment = "dev"
  account_id  = "123456789012"
  region      = "us-east-1"
  owner       = "platform"
  cost_center = "trading"
  vpc_cidr    = "10.20.0.0/16"
  nat_mode    = "none"
}

run "every_tier_and_group_is_put_out" {
  assert {
    condition     = length(output.public_subnet_ids) == 2 && length(output.private_subnet_ids) == 2 && length(output.isolated_subnet_ids) == 2
    error_message = "each tier must have one subnet per zone"
  }

  assert {
    condition     = join(" ", keys(output.security_group_ids)) == "cache database load_balancer workload"
    error_message = "data and platform find their security groups by these names"
  }
}

run "wrong_inputs_are_refused" {
  command = plan

  variables {
    environment = "production"
    account_id  = "1234"
    region      = "us-east"
    owner       = ""
    cost_center = "trading;shop"
  }

  expect_failures = [var.environment, var.account_id, var.region, var.owner, var.cost_center]
}

run "the_key_lets_cloudwatch_logs_in" {
  module {
    source = "../../modules/encryption_key"
  }

  variables {
    name                  = "drydock-dev-data"
    description           = "test"
    allow_cloudwatch_logs = true
  }

  assert {
    condition     = aws_kms_key.this.enable_key_rotation
    error_message = "keys must rotate"
  }

  assert {
    condition = anytrue([
      for statement in jsondecode(aws_kms_key.this.policy).Statement :
      try(statement.Principal.Service, "") == "logs.us-east-1.amazonaws.com" && can(statement.Condition.ArnLike)
    ])
    error_message = "CloudWatch Logs may use the key, for log groups of this account only"
  }
}

run "a_short_farewell_is_refused" {
  command = plan

  module {
    source = "../../modules/encryption_key"
  }

  variables {
    name                    = "drydock-dev-data"
    description             = "test"
    deletion_window_in_days = 3
  }

  expect_failures = [var.deletion_window_in_days]
}
