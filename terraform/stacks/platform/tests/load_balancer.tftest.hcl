mock_provider "aws" {
  override_resource {
    target = aws_lb.this
    values = {
      arn      = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/drydock-dev/1"
      dns_name = "drydock-dev-1.us-east-1.elb.amazonaws.com"
    }
  }

  override_resource {
    target = aws_lb_listener.https
    values = { arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/drydock-dev/1/443" }
  }

  override_resource {
    target = aws_lb_listener.http
    values = { arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/drydock-dev/1/80" }
  }
}

variables {
  name                       = "drydock-dev"
  subnet_ids                 = ["subnet-1", "subnet-2"]
  security_group_id          = "sg-load-balancer"
  workload_security_group_id = "sg-workload"
  workload_ports             = [8080, 8080, 3000]
  access_log_bucket          = "drydock-dev-access-logs-123456789012"
}

run "https_with_a_certificate" {
  module {
    source = "../../modules/load_balancer"
  }

  variables {
    certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/1"
    allow_http      = true
  }

  assert {
    condition     = aws_lb.this.idle_timeout == 60 && aws_lb.this.drop_invalid_header_fields
    error_message = "idle connections must end after 60 s and malformed headers be dropped"
  }

  assert {
    condition     = aws_lb.this.access_logs[0].enabled && aws_lb.this.access_logs[0].bucket == "drydock-dev-access-logs-123456789012"
    error_message = "every request must leave a line"
  }

  assert {
    condition     = length(aws_lb_listener.trial) == 0 && length(aws_vpc_security_group_ingress_rule.trial) == 0 && output.trial_listener_arn == null
    error_message = "without blue/green there must be no port for trials"
  }

  assert {
    condition     = aws_lb_listener.https[0].port == 443 && aws_lb_listener.https[0].ssl_policy == "ELBSecurityPolicy-TLS13-1-2-2021-06"
    error_message = "HTTPS must refuse anything older than TLS 1.2"
  }

  assert {
    condition     = aws_lb_listener.http.default_action[0].type == "redirect" && aws_lb_listener.http.default_action[0].redirect[0].protocol == "HTTPS"
    error_message = "with a certificate port 80 may only redirect"
  }

  assert {
    condition     = length(aws_vpc_security_group_egress_rule.workload_to_http) == 0
    error_message = "with a certificate nothing may leave a task unencrypted"
  }

  assert {
    condition     = endswith(output.listener_arn, "/443")
    error_message = "with a certificate workloads must be served by HTTPS"
  }

  assert {
    condition     = output.url == "https://drydock-dev-1.us-east-1.elb.amazonaws.com"
    error_message = "the platform must be addressed by https"
  }

  assert {
    condition     = join(" ", keys(aws_vpc_security_group_ingress_rule.to_workload)) == "3000 8080" && join(" ", keys(aws_vpc_security_group_egress_rule.to_workload)) == "3000 8080"
    error_message = "each port that a workload listens on must be opened once, on both sides"
  }

  assert {
    condition = alltrue([
      for rule in aws_vpc_security_group_ingress_rule.to_workload :
      rule.security_group_id == "sg-workload" && rule.referenced_security_group_id == "sg-load-balancer" && rule.cidr_ipv4 == null
    ])
    error_message = "workloads may be reached by the load balancer only"
  }
}

run "http_where_it_is_allowed" {
  module {
    source = "../../modules/load_balancer"
  }

  variables {
    allow_http = true
  }

  assert {
    condition     = length(aws_lb_listener.https) == 0 && aws_lb_listener.http.default_action[0].fixed_response[0].status_code == "404"
    error_message = "without a certificate http serves the workloads' paths and answers 404 elsewhere"
  }

  assert {
    condition     = output.url == "http://drydock-dev-1.us-east-1.elb.amazonaws.com"
    error_message = "the platform must be addressed by http"
  }

  assert {
    condition     = aws_vpc_security_group_egress_rule.workload_to_http[0].from_port == 80 && aws_vpc_security_group_egress_rule.workload_to_http[0].security_group_id == "sg-workload"
    error_message = "without a certificate workloads reach each other by http"
  }

  assert {
    condition     = endswith(output.listener_arn, "/80")
    error_message = "without a certificate workloads are served by http"
  }
}

run "no_certificate_and_no_http_is_refused" {
  command = plan

  module {
    source = "../../modules/load_balancer"
  }

  variables {
    name = "drydock-environment-with-a-long-name"
  }

  expect_failures = [var.name, var.certificate_arn]
}

run "trials_have_a_port_that_is_not_the_internets" {
  module {
    source = "../../modules/load_balancer"
  }

  variables {
    certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/1"
    trial_port      = 9443
    trial_cidrs     = ["203.0.113.7/32"]
  }

  assert {
    condition     = aws_lb_listener.trial[0].port == 9443 && aws_lb_listener.trial[0].protocol == "HTTPS" && aws_lb_listener.trial[0].ssl_policy == "ELBSecurityPolicy-TLS13-1-2-2021-06"
    error_message = "a release must be tried by the same TLS as clients use"
  }

  assert {
    condition     = [for rule in aws_vpc_security_group_ingress_rule.trial : "${rule.cidr_ipv4} ${rule.from_port}-${rule.to_port}"] == ["203.0.113.7/32 9443-9443"]
    error_message = "only the given ranges may reach the trial port"
  }
}

run "trials_for_everybody_are_refused" {
  command = plan

  module {
    source = "../../modules/load_balancer"
  }

  variables {
    allow_http  = true
    trial_port  = 443
    trial_cidrs = ["0.0.0.0/0"]
  }

  expect_failures = [var.trial_port, var.trial_cidrs]
}
