mock_provider "aws" {
  mock_data "aws_ami" {
    defaults = { id = "ami-1", name = "debian-12-amd64-1", root_device_name = "/dev/xvda" }
  }

  mock_data "aws_default_tags" {
    defaults = { tags = { Environment = "dev" } }
  }

  mock_resource "aws_lb" {
    defaults = {
      arn      = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/drydock-dev-solana/1"
      dns_name = "solana.elb"
    }
  }

  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/drydock-dev-solana/1" }
  }

  mock_resource "aws_iam_service_linked_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling_drydock-dev-solana" }
  }

  mock_resource "aws_iam_instance_profile" {
    defaults = { arn = "arn:aws:iam::123456789012:instance-profile/drydock-dev-solana-node" }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:/drydock/dev/solana" }
  }

  mock_resource "aws_launch_template" {
    defaults = { id = "lt-1", latest_version = 1 }
  }
}

variables {
  environment        = "dev"
  account_id         = "123456789012"
  region             = "us-east-1"
  owner              = "platform"
  cost_center        = "trading"
  vpc_id             = "vpc-1"
  private_subnet_ids = ["subnet-1", "subnet-2"]
  security_group_ids = { load_balancer = "sg-1", workload = "sg-2", database = "sg-3", database_proxy = "sg-5", cache = "sg-4" }
  kms_key_arn        = "arn:aws:kms:us-east-1:123456789012:key/data"
  log_retention_days = 30
}

run "nobody_gets_a_node_by_default" {
  assert {
    condition     = var.fleet.min_size == null && var.fleet.desired_size == 0
    error_message = "a node is too dear to come by default"
  }

  assert {
    condition     = output.volumes.accounts == "/dev/sdf" && output.volumes.ledger == "/dev/sdg"
    error_message = "the role finds accounts and ledger on disks of their own"
  }

  assert {
    condition     = output.fleet_name == "drydock-dev-solana" && output.node_tags.Environment == "dev" && output.node_tags.Role == "solana_rpc"
    error_message = "the inventory finds the nodes by these"
  }

  assert {
    condition     = output.rpc_url == "http://solana.elb:8899" && output.websocket_url == "ws://solana.elb:8900"
    error_message = "workloads ask here"
  }

  assert {
    condition     = output.health_check.port != output.ports.rpc
    error_message = "the node's own /health is always 200: the load balancer must ask elsewhere"
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.retention_in_days == 30 && aws_cloudwatch_log_group.this.kms_key_id == var.kms_key_arn
    error_message = "logs must be encrypted and end some day"
  }

  assert {
    condition = (
      aws_vpc_security_group_ingress_rule.reference.security_group_id == module.fleet.security_group_id &&
      aws_vpc_security_group_ingress_rule.reference.referenced_security_group_id == module.fleet.security_group_id &&
      aws_vpc_security_group_ingress_rule.reference.from_port == output.ports.rpc
    )
    error_message = "a node must be able to ask the others for their slot"
  }
}

run "wrong_inputs_are_refused" {
  command = plan

  variables {
    vpc_id             = "drydock-dev"
    log_retention_days = 8
  }

  expect_failures = [var.vpc_id, var.log_retention_days]
}
