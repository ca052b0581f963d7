# Who serves clients is told by the load balancer's own module, which opens its ports here.
resource "aws_security_group" "node" {
  name        = "${var.name}-node"
  description = "Nodes of ${var.name}"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-node" }
}

# Nodes of the fleet among themselves, and with named peers; never from anywhere.
resource "aws_vpc_security_group_ingress_rule" "fleet" {
  for_each = toset(["tcp", "udp"])

  security_group_id            = aws_security_group.node.id
  description                  = "Cluster ports among the fleet, ${each.key}"
  referenced_security_group_id = aws_security_group.node.id
  ip_protocol                  = each.key
  from_port                    = var.cluster_ports.from
  to_port                      = var.cluster_ports.to
}

resource "aws_vpc_security_group_ingress_rule" "peer" {
  for_each = { for pair in setproduct(var.peer_cidrs, ["tcp", "udp"]) : "${pair[0]}-${pair[1]}" => pair }

  security_group_id = aws_security_group.node.id
  description       = "Cluster ports to a named peer, ${each.value[1]}"
  cidr_ipv4         = each.value[0]
  ip_protocol       = each.value[1]
  from_port         = var.cluster_ports.from
  to_port           = var.cluster_ports.to
}

# Validators anywhere are on any port above 1024; AWS's APIs and Debian's archive on 443.
resource "aws_vpc_security_group_egress_rule" "internet" {
  for_each = {
    https = { protocol = "tcp", from = 443, to = 443 }
    tcp   = { protocol = "tcp", from = 1024, to = 65535 }
    udp   = { protocol = "udp", from = 1024, to = 65535 }
  }

  security_group_id = aws_security_group.node.id
  description       = each.key == "https" ? "AWS APIs and package archives" : "Validators of the cluster, ${each.key}"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = each.value.protocol
  from_port         = each.value.from
  to_port           = each.value.to
}
