# Two addresses, the same wherever clients are, that lead to the nearest healthy region. They stay
# when a region is lost, so nobody waits for DNS.

resource "aws_globalaccelerator_accelerator" "this" {
  #checkov:skip=CKV_AWS_75: the load balancers behind it log each request
  name            = var.name
  ip_address_type = "IPV4"
  enabled         = true
}

resource "aws_globalaccelerator_listener" "this" {
  accelerator_arn = aws_globalaccelerator_accelerator.this.arn
  protocol        = "TCP"

  dynamic "port_range" {
    for_each = var.ports

    content {
      from_port = port_range.value
      to_port   = port_range.value
    }
  }
}

# The health of an ALB is what the ALB says of its own targets; no check of one's own is asked.
resource "aws_globalaccelerator_endpoint_group" "this" {
  for_each = var.endpoints

  listener_arn          = aws_globalaccelerator_listener.this.arn
  endpoint_group_region = each.key

  # A dial at 0 keeps clients away from the standby; failover does not look at it.
  traffic_dial_percentage = each.value.standby ? 0 : 100

  endpoint_configuration {
    endpoint_id                    = each.value.load_balancer_arn
    weight                         = 128
    client_ip_preservation_enabled = true
  }
}
