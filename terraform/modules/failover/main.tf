# The name that clients use: it leads to the primary while that is healthy, else to the standby.

resource "aws_route53_zone" "this" {
  #checkov:skip=CKV2_AWS_38: DNSSEC needs a record at the registrar, who is no part of this account; signing without it protects nobody
  #checkov:skip=CKV2_AWS_39: queries for one public name tell nothing that the load balancer's log does not
  name          = var.zone
  comment       = "Failover of ${var.record} between regions"
  force_destroy = false

  # A zone with a VPC is private: it answers inside of that VPC alone.
  dynamic "vpc" {
    for_each = var.private_vpc_id[*]

    content {
      vpc_id = vpc.value
    }
  }
}

# Asked by AWS's checkers in several regions; most of them must agree.
resource "aws_route53_health_check" "this" {
  for_each = local.targets

  type              = var.https ? "HTTPS" : "HTTP"
  fqdn              = each.value.dns_name
  port              = var.https ? 443 : 80
  resource_path     = var.health_path
  request_interval  = local.interval
  failure_threshold = var.failures

  # TLS is asked for by name; without it a certificate for several names could not be chosen.
  enable_sni = var.https

  tags = { Name = "${var.record} ${each.key}" }

  # A change of its kind makes a new one: the record must never hang on one that is gone.
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_route53_record" "this" {
  #checkov:skip=CKV2_AWS_23: false alarm: what it is an alias of is made by other modules and given as variables
  for_each = local.targets

  zone_id        = aws_route53_zone.this.zone_id
  name           = var.record
  type           = "A"
  set_identifier = each.key

  health_check_id = aws_route53_health_check.this[each.key].id

  failover_routing_policy {
    type = upper(each.key)
  }

  alias {
    name                   = each.value.dns_name
    zone_id                = each.value.zone_id
    evaluate_target_health = true
  }
}

locals {
  targets  = { for role, target in { primary = var.primary, secondary = var.standby } : role => target if target != null }
  interval = 10 # seconds; 30 is the other choice, and a failover three times as slow
}
