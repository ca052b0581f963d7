mock_provider "aws" {
  mock_resource "aws_db_proxy_default_target_group" {
    defaults = { name = "default" }
  }

  override_resource {
    target = aws_iam_role.this
    values = { arn = "arn:aws:iam::123456789012:role/drydock-dev-database-proxy" }
  }
}

variables {
  name                = "drydock-dev"
  region              = "us-east-1"
  subnet_ids          = ["subnet-1", "subnet-2"]
  security_group_id   = "sg-proxy"
  database_identifier = "drydock-dev"
  secret_arn          = "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1"
  kms_key_arn         = "arn:aws:kms:us-east-1:123456789012:key/data"
}

run "the_proxy_is_closed_and_reads_one_secret" {
  module {
    source = "../../modules/database_proxy"
  }

  assert {
    condition     = aws_db_proxy.this.require_tls && aws_db_proxy.this.vpc_security_group_ids == toset(["sg-proxy"]) && !aws_db_proxy.this.debug_logging
    error_message = "clients must speak TLS, and no statement may be logged"
  }

  assert {
    condition     = [for auth in aws_db_proxy.this.auth : "${auth.auth_scheme} ${auth.iam_auth} ${auth.secret_arn}"] == ["SECRETS DISABLED arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1"]
    error_message = "clients sign in with the secret that RDS manages"
  }

  assert {
    condition = {
      for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : join(" ", statement.Action) => statement.Resource
      } == {
      "secretsmanager:GetSecretValue" = ["arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1"]
      "kms:Decrypt"                   = ["arn:aws:kms:us-east-1:123456789012:key/data"]
    }
    error_message = "the role may read exactly that secret and use exactly that key"
  }

  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Principal.Service == "rds.amazonaws.com"
    error_message = "only RDS may take the role"
  }

  assert {
    condition     = aws_db_proxy_default_target_group.this.connection_pool_config[0].max_connections_percent == 60
    error_message = "of the database's connections 40 % must stay for people"
  }

  assert {
    condition     = aws_db_proxy_target.this.db_instance_identifier == "drydock-dev"
    error_message = "the database must stand behind the proxy"
  }
}

run "wrong_inputs_are_refused" {
  command = plan

  module {
    source = "../../modules/database_proxy"
  }

  variables {
    name                    = "Drydock_dev"
    max_connections_percent = 100
    borrow_timeout          = 900
  }

  expect_failures = [var.name, var.max_connections_percent, var.borrow_timeout]
}
