# Ways to AWS's own services that stay within its network. Those of S3 and DynamoDB are routes
# and cost nothing; each of the others costs by the hour in every zone.

locals {
  # Whoever brings credentials of another account could carry data out by these routes.
  own_account = {
    Sid       = "OwnAccountOnly"
    Effect    = "Allow"
    Principal = "*"
    Action    = "*"
    Resource  = "*"
    Condition = { StringEquals = { "aws:PrincipalAccount" = var.account_id } }
  }

  # The registry keeps its layers in a bucket of AWS's, and signs the reads of them itself.
  image_layers = {
    Sid       = "ImageLayers"
    Effect    = "Allow"
    Principal = "*"
    Action    = "s3:GetObject"
    Resource  = "arn:aws:s3:::prod-${var.region}-starport-layer-bucket/*"
  }

  gateways = {
    s3       = [local.own_account, local.image_layers]
    dynamodb = [local.own_account]
  }
}

resource "aws_vpc_endpoint" "gateway" {
  for_each = local.gateways

  vpc_id            = var.vpc_id
  vpc_endpoint_type = "Gateway"
  service_name      = "com.amazonaws.${var.region}.${each.key}"
  route_table_ids   = var.route_table_ids
  policy            = jsonencode({ Version = "2012-10-17", Statement = each.value })

  tags = { Name = "${var.name}-${each.key}" }
}

resource "aws_security_group" "interface" {
  count = length(var.interface_services) > 0 ? 1 : 0

  name        = "${var.name}-endpoints"
  description = "AWS services, from within the VPC"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-endpoints" }
}

resource "aws_vpc_security_group_ingress_rule" "vpc_to_interface" {
  count = length(aws_security_group.interface)

  security_group_id = aws_security_group.interface[0].id
  description       = "HTTPS from the VPC; IAM decides who may do what"
  cidr_ipv4         = var.vpc_cidr
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_endpoint" "interface" {
  for_each = var.interface_services

  vpc_id              = var.vpc_id
  vpc_endpoint_type   = "Interface"
  service_name        = "com.amazonaws.${var.region}.${each.key}"
  subnet_ids          = var.subnet_ids
  security_group_ids  = aws_security_group.interface[*].id
  private_dns_enabled = true # clients find it by the service's usual name

  tags = { Name = "${var.name}-${each.key}" }
}
