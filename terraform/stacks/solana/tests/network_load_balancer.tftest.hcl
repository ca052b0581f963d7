mock_provider "aws" {
  mock_resource "aws_lb" {
    defaults = { arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/drydock-dev-solana/1" }
  }

  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/drydock-dev-solana/1" }
  }

  override_resource {
    target = aws_security_group.this
    values = { id = "sg-balancer" }
  }
}

variables {
  name                   = "drydock-dev-solana"
  vpc_id                 = "vpc-1"
  subnet_ids             = ["subnet-1", "subnet-2"]
  ports                  = { rpc = 8899, websocket = 8900 }
  health_check           = { port = 8898, path = "/health" }
  clients                = { workload = "sg-workload" }
  node_security_group_id = "sg-node"
}

run "it_serves_the_vpc_alone" {
  module {
    source = "../../modules/network_load_balancer"
  }

  assert {
    condition     = aws_lb.this.internal && aws_lb.this.load_balancer_type == "network" && aws_lb.this.enable_cross_zone_load_balancing
    error_message = "the nodes must be reached from within the VPC only, in every zone from every zone"
  }

  assert {
    condition = alltrue([
      for rule in concat(values(aws_vpc_security_group_ingress_rule.client), values(aws_vpc_security_group_ingress_rule.node)) :
      rule.cidr_ipv4 == null && rule.cidr_ipv6 == null
    ])
    error_message = "only security groups may be let in, never ranges of addresses"
  }

  assert {
    condition = join(" ", [for key, rule in aws_vpc_security_group_ingress_rule.client : "${key}:${rule.referenced_security_group_id}:${rule.from_port}"]) == join(" ", [
      "workload-rpc:sg-workload:8899", "workload-websocket:sg-workload:8900",
    ])
    error_message = "each client may reach each port"
  }

  assert {
    condition = join(" ", keys(aws_vpc_security_group_egress_rule.client)) == join(" ", keys(aws_vpc_security_group_ingress_rule.client)) && alltrue([
      for rule in values(aws_vpc_security_group_egress_rule.client) : rule.security_group_id == "sg-workload" && rule.referenced_security_group_id == "sg-balancer"
    ])
    error_message = "what is let in must be let out at the other end"
  }

  assert {
    condition = join(" ", sort([for rule in values(aws_vpc_security_group_ingress_rule.node) : "${rule.security_group_id}:${rule.from_port}"])) == join(" ", [
      "sg-node:8898", "sg-node:8899", "sg-node:8900",
    ])
    error_message = "nodes must be open to the load balancer on their ports and the health check's"
  }
}

run "health_is_what_the_node_says_of_itself" {
  module {
    source = "../../modules/network_load_balancer"
  }

  assert {
    condition = alltrue([
      for group in values(aws_lb_target_group.this) : group.health_check[0].protocol == "HTTP" && group.health_check[0].port == "8898" &&
      group.health_check[0].path == "/health" && group.health_check[0].matcher == "200" && group.health_check[0].interval == 10
    ])
    error_message = "an open port is no health: both groups must ask the health check by HTTP"
  }

  assert {
    condition     = alltrue([for group in values(aws_lb_target_group.this) : group.connection_termination])
    error_message = "subscriptions must end with the draining, else a node could never be taken out"
  }

  assert {
    condition     = aws_lb_listener.this["websocket"].port == 8900 && join(" ", keys(output.target_group_arns)) == "rpc websocket"
    error_message = "each port must have its listener and its group"
  }
}

run "wrong_inputs_are_refused" {
  command = plan

  module {
    source = "../../modules/network_load_balancer"
  }

  variables {
    ports         = { rpc = 88990, subscriptions-of-clients = 8900 }
    health_check  = { port = 8898, path = "health", interval = 3, timeout = 3 }
    drain_seconds = 4000
  }

  expect_failures = [var.ports, var.health_check, var.drain_seconds]
}

run "a_name_that_aws_keeps_for_itself_is_refused" {
  command = plan

  module {
    source = "../../modules/network_load_balancer"
  }

  variables {
    name = "internal-solana"
  }

  expect_failures = [var.name]
}
