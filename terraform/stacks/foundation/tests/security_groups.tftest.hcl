mock_provider "aws" {
  override_resource {
    target = aws_security_group.load_balancer
    values = { id = "sg-load-balancer" }
  }

  override_resource {
    target = aws_security_group.workload
    values = { id = "sg-workload" }
  }

  override_resource {
    target = aws_security_group.database
    values = { id = "sg-database" }
  }

  override_resource {
    target = aws_security_group.database_proxy
    values = { id = "sg-proxy" }
  }

  override_resource {
    target = aws_security_group.cache
    values = { id = "sg-cache" }
  }
}

variables {
  name   = "drydock-dev"
  vpc_id = "vpc-1"
}

run "only_the_load_balancer_is_open" {
  module {
    source = "../../modules/security_groups"
  }

  assert {
    condition = alltrue([
      for rule in aws_vpc_security_group_ingress_rule.internet_to_load_balancer :
      rule.security_group_id == "sg-load-balancer" && rule.from_port == rule.to_port && contains([80, 443], rule.from_port)
    ])
    error_message = "the internet may reach the load balancer on 80 and 443 and nothing else"
  }

  assert {
    condition = alltrue([
      for rule in [aws_vpc_security_group_ingress_rule.workload_to_database, aws_vpc_security_group_ingress_rule.workload_to_cache] :
      rule.cidr_ipv4 == null && rule.cidr_ipv6 == null && rule.referenced_security_group_id == "sg-workload" && rule.from_port == rule.to_port
    ])
    error_message = "database and cache may be reached by workloads only, on one port"
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.workload_to_database.security_group_id == "sg-database" && aws_vpc_security_group_ingress_rule.workload_to_cache.security_group_id == "sg-cache"
    error_message = "each way in must belong to the group that it opens"
  }

  assert {
    condition     = aws_vpc_security_group_egress_rule.workload_to_https.from_port == 443 && aws_vpc_security_group_egress_rule.workload_to_https.to_port == 443
    error_message = "workloads may leave the VPC by HTTPS only"
  }
}

run "the_proxy_stands_between" {
  module {
    source = "../../modules/security_groups"
  }

  assert {
    condition = [
      for rule in [
        aws_vpc_security_group_egress_rule.workload_to_database_proxy, aws_vpc_security_group_ingress_rule.workload_to_database_proxy,
        aws_vpc_security_group_egress_rule.database_proxy_to_database, aws_vpc_security_group_ingress_rule.database_proxy_to_database,
      ] : "${rule.security_group_id} ${rule.referenced_security_group_id} ${rule.from_port}"
      ] == [
      "sg-workload sg-proxy 5432", "sg-proxy sg-workload 5432",
      "sg-proxy sg-database 5432", "sg-database sg-proxy 5432",
    ]
    error_message = "workloads reach the proxy, the proxy reaches the database, on the database's port and no other way"
  }
}

run "wrong_ports_are_refused" {
  command = plan

  module {
    source = "../../modules/security_groups"
  }

  variables {
    database_port = 22
    cache_port    = 70000
  }

  expect_failures = [var.database_port, var.cache_port]
}
