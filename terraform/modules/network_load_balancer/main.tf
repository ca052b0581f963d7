resource "aws_security_group" "this" {
  name        = "${var.name}-load-balancer"
  description = "Clients in the VPC to the nodes of ${var.name}"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-load-balancer" }
}

resource "aws_lb" "this" {
  #checkov:skip=CKV_AWS_91: a network load balancer logs TLS listeners only; these speak TCP
  name               = var.name
  load_balancer_type = "network"
  internal           = true
  subnets            = var.subnet_ids
  security_groups    = [aws_security_group.this.id]

  enable_cross_zone_load_balancing = true
  enable_deletion_protection       = var.deletion_protection
}

resource "aws_lb_target_group" "this" {
  for_each = var.ports

  name        = "${var.name}-${each.key}"
  vpc_id      = var.vpc_id
  target_type = "instance"
  protocol    = "TCP"
  port        = each.value

  # A subscription lasts as long as its client does: past the delay it is ended.
  deregistration_delay   = var.drain_seconds
  connection_termination = true

  health_check {
    protocol            = "HTTP"
    port                = tostring(var.health_check.port)
    path                = var.health_check.path
    matcher             = "200"
    interval            = var.health_check.interval
    timeout             = var.health_check.timeout
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }
}

resource "aws_lb_listener" "this" {
  for_each = var.ports

  load_balancer_arn = aws_lb.this.arn
  protocol          = "TCP"
  port              = each.value

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this[each.key].arn
  }
}

locals {
  clients = { for pair in setproduct(keys(var.clients), keys(var.ports)) : "${pair[0]}-${pair[1]}" => {
    client = var.clients[pair[0]], port = var.ports[pair[1]], what = "${pair[0]} to ${pair[1]}"
  } }
  to_nodes = merge(var.ports, { health = var.health_check.port })
}

# Each way that is open is a rule on both of its ends, and no address is one.
resource "aws_vpc_security_group_egress_rule" "client" {
  for_each = local.clients

  security_group_id            = each.value.client
  description                  = "${each.value.what} of ${var.name}"
  referenced_security_group_id = aws_security_group.this.id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

resource "aws_vpc_security_group_ingress_rule" "client" {
  for_each = local.clients

  security_group_id            = aws_security_group.this.id
  description                  = each.value.what
  referenced_security_group_id = each.value.client
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

resource "aws_vpc_security_group_egress_rule" "node" {
  for_each = local.to_nodes

  security_group_id            = aws_security_group.this.id
  description                  = "${each.key} of the nodes"
  referenced_security_group_id = var.node_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
}

resource "aws_vpc_security_group_ingress_rule" "node" {
  for_each = local.to_nodes

  security_group_id            = var.node_security_group_id
  description                  = "Load balancer to ${each.key}"
  referenced_security_group_id = aws_security_group.this.id
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
}
