variable "name" {
  type = string
}

variable "allow_from" {
  type = map(string)
}

resource "aws_vpc" "this" {
  cidr_block = "10.9.0.0/16"
}

resource "aws_subnet" "isolated" {
  for_each = { a = "10.9.0.0/24", b = "10.9.1.0/24" }

  vpc_id            = aws_vpc.this.id
  cidr_block        = each.value
  availability_zone = "us-east-1${each.key}"
}

resource "aws_security_group" "this" {
  for_each = toset(["database", "web"])

  name        = "${var.name}-${each.key}"
  description = each.key
  vpc_id      = aws_vpc.this.id
}

resource "aws_vpc_security_group_ingress_rule" "database" {
  for_each = var.allow_from

  security_group_id = aws_security_group.this["database"].id
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 5432
  to_port           = 5432
}

output "group_ids" {
  value = { for name, group in aws_security_group.this : name => group.id }
}

output "subnet_ids" {
  value = [for subnet in aws_subnet.isolated : subnet.id]
}
