mock_provider "aws" {
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/drydock-dev-solana-node" }
  }
}

variables {
  prefix           = "drydock-dev"
  name             = "solana"
  environment      = "dev"
  account_id       = "123456789012"
  region           = "us-east-1"
  kms_key_arn      = "arn:aws:kms:us-east-1:123456789012:key/data"
  metric_namespace = "Drydock/Solana"
  log_group_name   = "/drydock/dev/solana"
}

run "a_node_may_do_what_it_needs_and_no_more" {
  module {
    source = "../../modules/node_role"
  }

  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Principal == { Service = "ec2.amazonaws.com" }
    error_message = "only EC2 may hand the role out"
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.this.policy).Statement :
      alltrue([for action in statement.Action : !strcontains(action, "*")])
    ])
    error_message = "no action may be a pattern"
  }

  # Those that know no resource are the agent's, and metrics, which are held to their namespace.
  assert {
    condition = join(" ", sort([
      for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Sid if contains(statement.Resource, "*")
    ])) == "BeManagedBySystemsManager PublishOwnMetrics TalkToSystemsManager"
    error_message = "every other statement must name its resources"
  }

  assert {
    condition = one([
      for statement in jsondecode(aws_iam_role_policy.this.policy).Statement :
      statement.Condition.StringEquals["cloudwatch:namespace"] if statement.Sid == "PublishOwnMetrics"
    ]) == "Drydock/Solana"
    error_message = "metrics may be published under the nodes' own namespace only"
  }

  assert {
    condition = one([
      for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Resource[0] if statement.Sid == "ReadOwnSecrets"
    ]) == "arn:aws:secretsmanager:us-east-1:123456789012:secret:drydock-dev/solana/*"
    error_message = "a node may read the fleet's secrets only"
  }

  assert {
    condition = one([
      for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Resource[0] if statement.Sid == "EndOwnDrain"
    ]) == "arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:*:autoScalingGroupName/drydock-dev-solana"
    error_message = "a node may end the draining of its own group only"
  }
}

run "wrong_inputs_are_refused" {
  command = plan

  module {
    source = "../../modules/node_role"
  }

  variables {
    name             = "Solana RPC"
    metric_namespace = "AWS/EC2"
  }

  expect_failures = [var.name, var.metric_namespace]
}
