mock_provider "aws" {
  mock_resource "aws_globalaccelerator_listener" {
    defaults = { arn = "arn:aws:globalaccelerator::123456789012:accelerator/a/listener/b" }
  }
}

variables {
  name  = "drydock-dev"
  ports = [80, 443]
  endpoints = {
    us-east-1 = { load_balancer_arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/a/1", standby = false }
    us-west-2 = { load_balancer_arn = "arn:aws:elasticloadbalancing:us-west-2:123456789012:loadbalancer/app/a/2", standby = true }
  }
}

run "the_standby_waits" {
  assert {
    condition     = { for region, group in aws_globalaccelerator_endpoint_group.this : region => [group.endpoint_group_region, group.traffic_dial_percentage] } == { us-east-1 = ["us-east-1", 100], us-west-2 = ["us-west-2", 0] }
    error_message = "clients must go to the environment's region as long as it is healthy"
  }

  assert {
    # A weight of 0 would take an endpoint out of the failover as well.
    condition     = alltrue([for group in aws_globalaccelerator_endpoint_group.this : one(group.endpoint_configuration).weight > 0 && one(group.endpoint_configuration).client_ip_preservation_enabled])
    error_message = "every load balancer must be able to take clients, and see their addresses"
  }

  assert {
    condition     = toset([for range in aws_globalaccelerator_listener.this.port_range : "${range.from_port}-${range.to_port}"]) == toset(["80-80", "443-443"])
    error_message = "only the ports given may be let through"
  }
}

run "wrong_inputs_are_refused" {
  command = plan

  variables {
    name  = "drydock dev"
    ports = [22]
    endpoints = {
      us-east-1 = { load_balancer_arn = "arn:aws:elasticloadbalancing:us-west-2:123456789012:loadbalancer/app/a/1", standby = true }
    }
  }

  expect_failures = [var.name, var.ports, var.endpoints]
}
