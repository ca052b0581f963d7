mock_provider "aws" {
  mock_resource "aws_security_group" {
    defaults = { id = "sg-endpoints" }
  }
}

variables {
  name            = "drydock-dev"
  account_id      = "123456789012"
  region          = "us-east-1"
  vpc_id          = "vpc-1"
  vpc_cidr        = "10.20.0.0/16"
  route_table_ids = ["rtb-a", "rtb-b"]
  subnet_ids      = ["subnet-a", "subnet-b"]
}

run "s3_and_dynamodb_are_reached_by_routes_alone" {
  assert {
    condition = { for service, endpoint in aws_vpc_endpoint.gateway : service => "${endpoint.vpc_endpoint_type} ${endpoint.service_name} ${length(endpoint.route_table_ids)}" } == {
      s3       = "Gateway com.amazonaws.us-east-1.s3 2"
      dynamodb = "Gateway com.amazonaws.us-east-1.dynamodb 2"
    }
    error_message = "every given route table must lead to both gateways"
  }

  assert {
    condition = alltrue(flatten([
      for endpoint in aws_vpc_endpoint.gateway : [
        for statement in jsondecode(endpoint.policy).Statement :
        try(statement.Condition.StringEquals["aws:PrincipalAccount"], "") == "123456789012" || (statement.Action == "s3:GetObject" && strcontains(statement.Resource, "starport-layer-bucket/"))
      ]
    ]))
    error_message = "but for the registry's layers, only the own account may pass"
  }

  assert {
    condition     = length(aws_vpc_endpoint.interface) == 0 && length(aws_security_group.interface) == 0
    error_message = "what costs by the hour is not made unasked"
  }
}

run "interface_endpoints_answer_the_vpc_alone" {
  variables {
    interface_services = ["ecr.api", "ecr.dkr", "secretsmanager"]
  }

  assert {
    condition = alltrue([
      for service, endpoint in aws_vpc_endpoint.interface :
      endpoint.private_dns_enabled && endpoint.service_name == "com.amazonaws.us-east-1.${service}" && endpoint.security_group_ids == toset(["sg-endpoints"]) && length(endpoint.subnet_ids) == 2
    ]) && join(" ", keys(aws_vpc_endpoint.interface)) == "ecr.api ecr.dkr secretsmanager"
    error_message = "each service must be found by its usual name, in every zone, behind the group"
  }

  assert {
    condition     = [for rule in aws_vpc_security_group_ingress_rule.vpc_to_interface : "${rule.cidr_ipv4} ${rule.from_port}-${rule.to_port}"] == ["10.20.0.0/16 443-443"]
    error_message = "only HTTPS from the VPC may come in"
  }
}

run "no_service_is_refused" {
  command = plan

  variables {
    interface_services = ["com.amazonaws.us-east-1.logs"]
  }

  expect_failures = [var.interface_services]
}

run "paying_for_s3_is_refused" {
  command = plan

  variables {
    interface_services = ["s3"]
  }

  expect_failures = [var.interface_services]
}

run "half_an_image_pull_is_refused" {
  command = plan

  variables {
    interface_services = ["ecr.api"]
  }

  expect_failures = [var.interface_services]
}
