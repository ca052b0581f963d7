# The coarse fence around each tier; security groups decide within it. Rules know no
# connections, so the answers' ports have to be let in by themselves. Address translation and
# Lambda take any port from 1024 for their own end of a connection.

locals {
  anywhere = "0.0.0.0/0"
  tiers    = { for i, tier in ["public", "private", "isolated"] : tier => cidrsubnet(var.vpc_cidr, 2, i) }

  all    = { protocol = "-1", from = 0, to = 0, icmp_type = null, icmp_code = null }
  tcp    = { protocol = "6", from = 1024, to = 65535, icmp_type = null, icmp_code = null }
  udp    = { protocol = "17", from = 1024, to = 65535, icmp_type = null, icmp_code = null }
  http   = { protocol = "6", from = 80, to = 80, icmp_type = null, icmp_code = null }
  https  = { protocol = "6", from = 443, to = 443, icmp_type = null, icmp_code = null }
  shrink = { protocol = "1", from = 0, to = 0, icmp_type = 3, icmp_code = 4 } # "your packets are too large"

  within  = merge(local.all, { cidr = var.vpc_cidr })
  answers = [for what in [local.tcp, local.udp, local.shrink] : merge(what, { cidr = local.anywhere })]
  out     = [merge(local.all, { cidr = local.anywhere })]

  # Data talks with the workloads' tier and with its own, and with nobody else.
  data = [merge(local.tcp, { cidr = local.tiers.private }), merge(local.all, { cidr = local.tiers.isolated })]

  acls = {
    public = {
      subnet_ids = aws_subnet.public[*].id
      ingress    = concat([local.within], [for what in [local.http, local.https] : merge(what, { cidr = local.anywhere })], local.answers)
      egress     = local.out
    }
    private = {
      subnet_ids = aws_subnet.private[*].id
      ingress    = concat([local.within], local.answers)
      egress     = local.out
    }
    isolated = {
      subnet_ids = aws_subnet.isolated[*].id
      ingress    = local.data
      egress     = local.data
    }
  }
}

resource "aws_network_acl" "tier" {
  for_each = local.acls

  vpc_id     = aws_vpc.this.id
  subnet_ids = each.value.subnet_ids

  dynamic "ingress" {
    for_each = each.value.ingress

    content {
      rule_no    = 100 + 10 * ingress.key
      action     = "allow"
      cidr_block = ingress.value.cidr
      protocol   = ingress.value.protocol
      from_port  = ingress.value.from
      to_port    = ingress.value.to
      icmp_type  = ingress.value.icmp_type
      icmp_code  = ingress.value.icmp_code
    }
  }

  dynamic "egress" {
    for_each = each.value.egress

    content {
      rule_no    = 100 + 10 * egress.key
      action     = "allow"
      cidr_block = egress.value.cidr
      protocol   = egress.value.protocol
      from_port  = egress.value.from
      to_port    = egress.value.to
    }
  }

  tags = { Name = "${var.name}-${each.key}" }
}
