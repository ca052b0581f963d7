mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = {
      names = ["us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d"]
    }
  }

  override_resource {
    target = aws_route_table.public
    values = { id = "rtb-public" }
  }

  override_resource {
    target = aws_route_table.isolated
    values = { id = "rtb-isolated" }
  }

  override_resource {
    target = aws_internet_gateway.this
    values = { id = "igw-1" }
  }
}

variables {
  name     = "drydock-dev"
  vpc_cidr = "10.20.0.0/16"
  az_count = 3
  nat_mode = "single"
}

run "one_gateway_serves_every_zone" {
  module {
    source = "../../modules/network"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_eip.nat) == 1
    error_message = "nat_mode single must make one NAT gateway with one address"
  }

  assert {
    condition     = length(aws_route.nat) == 3 && length(distinct(aws_route.nat[*].nat_gateway_id)) == 1
    error_message = "nat_mode single must send all three private tables to the one gateway"
  }

  assert {
    condition     = aws_route.internet.route_table_id == "rtb-public" && aws_route.internet.gateway_id == "igw-1"
    error_message = "the public table must lead to the internet gateway"
  }

  assert {
    condition     = length(aws_route_table.isolated.route) == 0
    error_message = "the isolated table must hold no route of its own"
  }

  assert {
    condition     = !contains(concat(aws_route.nat[*].route_table_id, [aws_route.internet.route_table_id]), "rtb-isolated")
    error_message = "no route may be added to the isolated table"
  }

  assert {
    condition     = alltrue([for association in aws_route_table_association.isolated : association.route_table_id == "rtb-isolated"])
    error_message = "every isolated subnet must use the isolated table"
  }

  assert {
    condition     = !anytrue(concat(aws_subnet.public[*].map_public_ip_on_launch, aws_subnet.private[*].map_public_ip_on_launch, aws_subnet.isolated[*].map_public_ip_on_launch))
    error_message = "no subnet may hand out public addresses by itself"
  }

  assert {
    condition     = length(distinct(concat(aws_subnet.public[*].cidr_block, aws_subnet.private[*].cidr_block, aws_subnet.isolated[*].cidr_block))) == 9
    error_message = "the nine subnets must have ranges of their own"
  }

  assert {
    condition     = join(" ", aws_subnet.isolated[*].availability_zone) == "us-east-1a us-east-1b us-east-1c"
    error_message = "the tiers must spread over the first zones of the region"
  }
}

run "each_tier_is_fenced" {
  module {
    source = "../../modules/network"
  }

  assert {
    condition = {
      for tier, acl in aws_network_acl.tier : tier => join(", ", sort([for rule in acl.ingress : "${rule.protocol} ${rule.from_port}-${rule.to_port} ${rule.cidr_block}" if rule.action == "allow"]))
      } == {
      public   = "-1 0-0 10.20.0.0/16, 1 0-0 0.0.0.0/0, 17 1024-65535 0.0.0.0/0, 6 1024-65535 0.0.0.0/0, 6 443-443 0.0.0.0/0, 6 80-80 0.0.0.0/0"
      private  = "-1 0-0 10.20.0.0/16, 1 0-0 0.0.0.0/0, 17 1024-65535 0.0.0.0/0, 6 1024-65535 0.0.0.0/0"
      isolated = "-1 0-0 10.20.128.0/18, 6 1024-65535 10.20.64.0/18"
    }
    error_message = "the internet may reach the public tier by HTTP and HTTPS, answers may come back, and data may be reached from the private tier alone"
  }

  assert {
    condition     = join(", ", sort([for rule in aws_network_acl.tier["isolated"].egress : rule.cidr_block])) == "10.20.128.0/18, 10.20.64.0/18"
    error_message = "data may answer the private tier and its own, and nobody else"
  }

  assert {
    condition = alltrue(flatten([
      for tier, range in { private = "10.20.64.0/18", isolated = "10.20.128.0/18" } : [
        for subnet in { private = aws_subnet.private, isolated = aws_subnet.isolated }[tier] :
        cidrsubnet("${cidrhost(subnet.cidr_block, 0)}/18", 0, 0) == range
      ]
    ]))
    error_message = "the fences' ranges must hold their tiers' subnets"
  }

  assert {
    condition     = alltrue([for tier, acl in aws_network_acl.tier : length(acl.subnet_ids) == 3])
    error_message = "every subnet of a tier must stand behind its fence"
  }
}

run "one_gateway_in_each_zone" {
  module {
    source = "../../modules/network"
  }

  variables {
    nat_mode = "per_az"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 3 && length(distinct(aws_route.nat[*].nat_gateway_id)) == 3
    error_message = "nat_mode per_az must give each private table the gateway of its own zone"
  }
}

run "asleep_the_addresses_stay" {
  module {
    source = "../../modules/network"
  }

  variables {
    nat_mode = "per_az"
    asleep   = true
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 0 && length(aws_route.nat) == 0
    error_message = "asleep there must be neither gateway nor route to one"
  }

  assert {
    condition     = length(aws_eip.nat) == 3 && length(output.nat_public_ips) == 3
    error_message = "asleep the addresses must stay, since others let them in"
  }

  assert {
    condition     = aws_route.internet.gateway_id == "igw-1" && length(aws_route_table.private) == 3
    error_message = "asleep nothing else of the network may change"
  }
}

run "no_gateway_no_route" {
  command = plan

  module {
    source = "../../modules/network"
  }

  variables {
    az_count = 2
    nat_mode = "none"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 0 && length(aws_eip.nat) == 0 && length(aws_route.nat) == 0
    error_message = "nat_mode none must make neither gateway nor route"
  }

  assert {
    condition     = length(aws_route_table.private) == 2 && length(output.nat_public_ips) == 0
    error_message = "the private tables must stand, so that a gateway can be added later"
  }
}

run "wrong_inputs_are_refused" {
  command = plan

  module {
    source = "../../modules/network"
  }

  variables {
    vpc_cidr = "10.20.0.0"
    az_count = 1
    nat_mode = "shared"
  }

  expect_failures = [var.vpc_cidr, var.az_count, var.nat_mode]
}

run "too_small_a_range_is_refused" {
  command = plan

  module {
    source = "../../modules/network"
  }

  variables {
    vpc_cidr = "10.20.0.0/25"
  }

  expect_failures = [var.vpc_cidr]
}

run "a_range_with_host_bits_is_refused" {
  command = plan

  module {
    source = "../../modules/network"
  }

  variables {
    vpc_cidr = "10.20.1.0/16"
  }

  expect_failures = [var.vpc_cidr]
}

run "a_region_with_too_few_zones_is_refused" {
  command = plan

  module {
    source = "../../modules/network"
  }

  override_data {
    target = data.aws_availability_zones.available
    values = { names = ["us-west-1a", "us-west-1c"] }
  }

  expect_failures = [data.aws_availability_zones.available]
}
