locals {
  https      = var.certificate_arn != null
  ssl_policy = "ELBSecurityPolicy-TLS13-1-2-2021-06" # TLS 1.2 and 1.3
}

resource "aws_lb" "this" {
  name               = var.name
  load_balancer_type = "application"
  internal           = false
  subnets            = var.subnet_ids
  security_groups    = [var.security_group_id]

  idle_timeout               = 60
  drop_invalid_header_fields = true
  enable_deletion_protection = var.deletion_protection

  access_logs {
    bucket  = var.access_log_bucket
    enabled = true
  }
}

# Workloads hang their path rules on one listener: https where there is a
# certificate, else http.
resource "aws_lb_listener" "https" {
  count = local.https ? 1 : 0

  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = local.ssl_policy
  certificate_arn   = var.certificate_arn

  default_action {
    type = "fixed-response"

    fixed_response {
      content_type = "text/plain"
      status_code  = "404"
      message_body = "No workload serves this path."
    }
  }
}

# One listener for both of port 80's lives, because a port cannot have two while
# the first certificate is brought in.
resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.this.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type = local.https ? "redirect" : "fixed-response"

    dynamic "redirect" {
      for_each = local.https ? [1] : []

      content {
        port        = "443"
        protocol    = "HTTPS"
        status_code = "HTTP_301"
      }
    }

    dynamic "fixed_response" {
      for_each = local.https ? [] : [1]

      content {
        content_type = "text/plain"
        status_code  = "404"
        message_body = "No workload serves this path."
      }
    }
  }
}

# Where a release is tried before clients see it.
resource "aws_lb_listener" "trial" {
  count = length(var.trial_port[*])

  load_balancer_arn = aws_lb.this.arn
  port              = var.trial_port
  protocol          = local.https ? "HTTPS" : "HTTP"
  ssl_policy        = local.https ? local.ssl_policy : null
  certificate_arn   = var.certificate_arn

  default_action {
    type = "fixed-response"

    fixed_response {
      content_type = "text/plain"
      status_code  = "404"
      message_body = "No release is tried on this path."
    }
  }
}

resource "aws_vpc_security_group_ingress_rule" "trial" {
  for_each = length(aws_lb_listener.trial) > 0 ? var.trial_cidrs : []

  security_group_id = var.security_group_id
  description       = "Trial of a release"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = var.trial_port
  to_port           = var.trial_port
}

resource "aws_vpc_security_group_egress_rule" "to_workload" {
  for_each = toset([for port in var.workload_ports : tostring(port)])

  security_group_id            = var.security_group_id
  description                  = "Workloads on ${each.key}"
  referenced_security_group_id = var.workload_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = tonumber(each.key)
  to_port                      = tonumber(each.key)
}

resource "aws_vpc_security_group_ingress_rule" "to_workload" {
  for_each = toset([for port in var.workload_ports : tostring(port)])

  security_group_id            = var.workload_security_group_id
  description                  = "Load balancer to ${each.key}"
  referenced_security_group_id = var.security_group_id
  ip_protocol                  = "tcp"
  from_port                    = tonumber(each.key)
  to_port                      = tonumber(each.key)
}

# Workloads ask each other by the load balancer, as everybody does. Over HTTPS they may go anywhere.
resource "aws_vpc_security_group_egress_rule" "workload_to_http" {
  count = local.https ? 0 : 1

  security_group_id = var.workload_security_group_id
  description       = "The load balancer, while it has no certificate"
  cidr_ipv4         = "0.0.0.0/0" # its addresses are public ones, and change
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
}
