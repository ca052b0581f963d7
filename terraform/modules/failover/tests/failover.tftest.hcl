mock_provider "aws" {}

variables {
  zone        = "dev.example.com"
  record      = "www.dev.example.com"
  primary     = { dns_name = "a.us-east-1.elb.amazonaws.com", zone_id = "ZA" }
  standby     = { dns_name = "b.us-west-2.elb.amazonaws.com", zone_id = "ZB" }
  health_path = "/health"
}

run "the_name_leads_to_whoever_is_healthy" {
  assert {
    condition = { for role, record in aws_route53_record.this : role => [record.name, record.failover_routing_policy[0].type, record.alias[0].name, record.alias[0].zone_id] } == {
      primary   = ["www.dev.example.com", "PRIMARY", "a.us-east-1.elb.amazonaws.com", "ZA"]
      secondary = ["www.dev.example.com", "SECONDARY", "b.us-west-2.elb.amazonaws.com", "ZB"]
    }
    error_message = "one name must have a primary and a secondary answer"
  }

  assert {
    condition     = alltrue([for role, record in aws_route53_record.this : record.health_check_id == aws_route53_health_check.this[role].id && record.alias[0].evaluate_target_health])
    error_message = "each answer must hang on its own health check and on the health of its target"
  }

  assert {
    condition     = alltrue([for check in aws_route53_health_check.this : check.type == "HTTPS" && check.port == 443 && check.enable_sni && check.resource_path == "/health"])
    error_message = "health must be asked for as clients come: by HTTPS"
  }

  assert {
    condition     = output.failover_seconds == 90
    error_message = "three checks, 10 s apart, and the minute of an alias"
  }

  assert {
    condition     = length(aws_route53_zone.this.vpc) == 0
    error_message = "a zone is public unless it is given a VPC"
  }
}

run "without_a_standby_there_is_one_answer" {
  command = plan

  variables {
    standby        = null
    private_vpc_id = "vpc-1"
    https          = false
  }

  assert {
    condition     = keys(aws_route53_record.this) == ["primary"] && keys(aws_route53_health_check.this) == ["primary"]
    error_message = "no answer may lead nowhere"
  }

  assert {
    condition     = aws_route53_health_check.this["primary"].type == "HTTP" && aws_route53_health_check.this["primary"].port == 80
    error_message = "without a certificate health is asked for by HTTP"
  }

  assert {
    condition     = one(aws_route53_zone.this.vpc).vpc_id == "vpc-1"
    error_message = "a zone with a VPC is private to it"
  }
}

run "wrong_inputs_are_refused" {
  command = plan

  variables {
    zone        = "Dev.example.com."
    standby     = { dns_name = "a.us-east-1.elb.amazonaws.com", zone_id = "ZA" }
    health_path = "health"
    failures    = 0
  }

  expect_failures = [var.zone, var.standby, var.health_path, var.failures]
}

run "a_name_of_another_zone_is_refused" {
  command = plan

  variables {
    record = "www.example.com"
  }

  expect_failures = [var.record]
}
